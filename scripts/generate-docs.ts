/**
 * Writes docs/reference/ from the schemas, the route table and the error catalogue.
 * `--check` writes nothing and fails where a page is not what would be written.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApiDocument } from '../src/daemon/openapi.ts';
import { hasCode } from '../src/host/error-code.ts';
import { apiPage } from './reference/api-page.ts';
import { configPage } from './reference/config-page.ts';
import { errorsPage } from './reference/errors-page.ts';

const REFERENCE_DIR = join(import.meta.dirname, '../docs/reference');

const PAGES: Readonly<Record<string, () => string>> = {
  'api.md': apiPage,
  'config.md': configPage,
  'errors.md': errorsPage,
  'openapi.json': () => `${JSON.stringify(openApiDocument(), null, 2)}\n`,
};

mkdirSync(REFERENCE_DIR, { recursive: true });
const strays = readdirSync(REFERENCE_DIR).filter((name) => !(name in PAGES));
const stale = Object.entries(PAGES).filter(([name, make]) => make() !== currentText(name));
if (process.argv.includes('--check')) {
  for (const [name] of stale) process.stderr.write(`docs/reference/${name} is not what its source says\n`);
  for (const name of strays) process.stderr.write(`docs/reference/${name} is made by nothing\n`);
  if (stale.length + strays.length > 0) {
    process.stderr.write('Run `npm run docs`.\n');
    process.exitCode = 1;
  }
} else {
  for (const [name, make] of stale) writeFileSync(join(REFERENCE_DIR, name), make());
  for (const name of strays) rmSync(join(REFERENCE_DIR, name), { recursive: true });
}

function currentText(name: string): string | undefined {
  try {
    return readFileSync(join(REFERENCE_DIR, name), 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
