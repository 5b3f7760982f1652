import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configSchema } from '../../../src/contracts/config.ts';
import { loadConfig } from '../../../src/daemon/config.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

test('where there is no file every key has its default', async () => {
  expect(await loadConfig(join(await makeTempDir(), 'none', 'config.toml'))).toEqual(configSchema.parse({}));
});

test('a file is read', async () => {
  const path = join(await makeTempDir(), 'config.toml');
  await writeFile(path, 'engine = "qemu"\n');
  expect(await loadConfig(path)).toMatchObject({ engine: 'qemu' });
});

test('one that cannot be read is not taken for one that is not there', async () => {
  const path = join(await makeTempDir(), 'config.toml');
  await mkdir(path);
  await expect(loadConfig(path)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(path),
    details: { path },
  });
});
