import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Image, ImageHistory } from '../../src/contracts/image.ts';
import { json, ok, refused } from './banger.ts';

test('the first image is managed, has its kernel, its digest and its packages', async () => {
  const image = await json<Image>(['image', 'show', 'debian']);
  expect(image).toMatchObject({ name: 'debian', managed: true, provenance: { method: 'bootstrap' } });
  expect(image.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(existsSync(image.rootfsPath)).toBe(true);
  expect(existsSync(image.boot.kernelPath)).toBe(true);
  expect(existsSync(image.boot.initrdPath ?? '')).toBe(true);
  const history = await json<ImageHistory>(['image', 'history', 'debian']);
  expect(history.packages.some((line) => line.startsWith('openssh-server '))).toBe(true);
  expect(history.packages).toHaveLength(image.packageCount ?? 0);
});

test('people see it in the list', async () => {
  expect(await ok(['image', 'list'])).toMatch(/^debian\b/m);
});

test('its name is taken', async () => {
  expect(await refused(['image', 'bootstrap', 'debian'])).toMatchObject({ code: 'NAME_TAKEN', status: 1 });
});
