/** Which agent the sources make. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BANGER_VERSION } from '../../src/contracts/version.ts';
import { packageRoot } from '../../src/host/build-id.ts';

const FOLDERS = ['guest/agent', 'scripts/agent'] as const;
const FILES = ['src/contracts/agent.ts', 'scripts/build-agent.ts', 'node_modules/rolldown/package.json'] as const;

/**
 * The agent's version: banger's own, then `+` and 12 hex digits, a hash of everything the agent is made from.
 *
 * @param quickjsKey names QuickJS's sources.
 */
export function agentVersion(quickjsKey: string): string {
  const root = packageRoot();
  const hash = createHash('sha256').update(`${quickjsKey}\0`);
  const below = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
  );
  for (const path of [...below, ...FILES].toSorted()) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update('\0');
  }
  return `${BANGER_VERSION}+${hash.digest('hex').slice(0, 12)}`;
}
