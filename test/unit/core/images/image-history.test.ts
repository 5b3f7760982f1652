import { expect, test } from 'vitest';
import type { Image } from '../../../../src/contracts/image.ts';
import { collectHistory } from '../../../../src/core/images/image-history.ts';

function digest(letter: string): string {
  return `sha256:${letter.repeat(64)}`;
}

function image(name: string, letter: string, source?: { name: string; digest: string }): Image {
  return {
    id: `img-${name}`,
    name,
    managed: true,
    rootfsPath: `/images/${name}/rootfs.ext4`,
    boot: { kernelPath: '/k' },
    sizeBytes: 1,
    digest: digest(letter),
    createdAt: '2026-01-01T00:00:00.000Z',
    provenance: {
      method: source ? 'build' : 'bootstrap',
      bangerVersion: '0.1.0',
      parameters: {},
      steps: [],
      ...(source && { source }),
    },
  };
}

const debian = image('debian', 'a');
const base = image('base', 'b', { name: 'debian', digest: digest('a') });
const dev = image('dev', 'c', { name: 'base', digest: digest('b') });

test('the chain is followed to the first image', () => {
  const names = collectHistory(dev, [debian, base, dev]).map((entry) => entry.imageName);
  expect(names).toEqual(['dev', 'base', 'debian']);
});

test('a source made again under the same name is named by the digest it had, and ends the chain', () => {
  const entries = collectHistory(dev, [debian, image('base', 'd'), dev]);
  expect(entries.at(-1)).toEqual({ imageName: 'base', digest: digest('b') });
  expect(entries).toHaveLength(2);
});

test('a record that names itself as its source ends', () => {
  const loop = image('loop', 'e', { name: 'loop', digest: digest('e') });
  expect(collectHistory(loop, [loop])).toHaveLength(2);
});
