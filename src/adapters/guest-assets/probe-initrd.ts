import { readFile } from 'node:fs/promises';
import { cpioArchive } from './cpio.ts';

/** The whole root of a probe guest: the agent as its first program, and the console it speaks on. */
export async function probeInitrd(agentPath: string): Promise<Uint8Array> {
  return cpioArchive([
    { kind: 'folder', path: 'dev' },
    { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, content: await readFile(agentPath) },
  ]);
}
