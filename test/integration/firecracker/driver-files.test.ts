import { statSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keepSmall } from '../../../src/adapters/firecracker/bounded-files.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const MIB = 2 ** 20;

test('what is old in a file that has grown becomes a hole: it takes no room, and nothing moves', async () => {
  const dir = await makeTempDir();
  const [large, small] = [join(dir, 'large'), join(dir, 'small')];
  writeFileSync(large, Buffer.alloc(20 * MIB, 'x'));
  writeFileSync(small, Buffer.alloc(15 * MIB, 'x'));
  const said: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const takenBytes = (path: string): number => statSync(path).blocks * 512;
  const watcher = watch(large, () => {
    if (takenBytes(large) < 20 * MIB) resolve();
  });
  const stop = keepSmall([join(dir, 'missing'), large, small], (line) => said.push(line));
  await promise;
  watcher.close();
  stop();
  expect(takenBytes(large)).toBeLessThanOrEqual(8 * MIB + 8192);
  expect(statSync(large).size).toBe(20 * MIB);
  expect(takenBytes(small)).toBeGreaterThanOrEqual(15 * MIB);
  expect(said).toEqual([]);
});
