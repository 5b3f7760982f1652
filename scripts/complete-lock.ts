/**
 * Completes package-lock.json: `npm install` leaves out optional packages for other platforms that the registry in use
 * does not have, and `npm ci` then refuses the lock file. Run it after every `npm install`; `--check` only tells.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { completed, type Lock } from './lock-file.ts';

const PATH = join(import.meta.dirname, '..', 'package-lock.json');
const lock = JSON.parse(readFileSync(PATH, 'utf8')) as Lock;
const { lock: whole, added } = completed(lock);
if (added.length === 0) process.stdout.write('package-lock.json is complete.\n');
else if (process.argv.includes('--check')) {
  process.stderr.write(`package-lock.json lacks ${added.length} entries; run: node scripts/complete-lock.ts\n`);
  process.exit(1);
} else {
  writeFileSync(PATH, `${JSON.stringify(whole, undefined, 2)}\n`);
  process.stdout.write(`package-lock.json: ${added.length} entries added.\n`);
}
