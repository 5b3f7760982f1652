/** What a daemon has in memory before anybody has asked for anything. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../../src/host/process.ts';

const COMPOSE = join(import.meta.dirname, '..', '..', '..', 'src', 'daemon', 'compose.ts');

/** CommonJS modules that importing the whole daemon has loaded, by path. */
async function loadedModules(...imports: readonly string[]): Promise<readonly string[]> {
  const program = `
    import { Module } from 'node:module';
    for (const path of ${JSON.stringify(imports)}) await import(path);
    console.log(JSON.stringify(Object.keys(Module._cache)));
  `;
  const { stdout } = await run([process.execPath, '--input-type=module', '--eval', program], {
    cwd: join(import.meta.dirname, '..', '..', '..'),
  });
  return JSON.parse(stdout) as string[];
}

test('ssh2 comes with the first guest that is spoken to: it takes 7 MB', async () => {
  expect((await loadedModules(COMPOSE)).filter((path) => path.includes('/node_modules/ssh2/'))).toEqual([]);
  // The very same look sees it where it is loaded.
  expect((await loadedModules(COMPOSE, 'ssh2')).filter((path) => path.includes('/node_modules/ssh2/'))).not.toEqual([]);
});
