/** What probes of KVM have found, in a file of the cache: true for one boot of the host. */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { ENGINE_NAMES } from '../../contracts/vm.ts';
import type { KvmFinding, ProbeMemory } from '../../core/engines/ports.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { hasCode } from '../../host/error-code.ts';
import { hostBootId } from '../../host/process-identity.ts';

const VERSION = 1;
/** One for each program and kernel; the oldest go. */
const MAX_FINDINGS = 32;

const fileSchema = z.object({
  version: z.literal(VERSION),
  /** Another boot may be on another machine, or with other settings of the firmware. */
  bootId: z.string(),
  findings: z.array(
    z.object({
      engine: z.enum(ENGINE_NAMES),
      programStamp: z.string(),
      kernelDigest: z.string(),
      kernelPath: z.string(),
      usable: z.boolean(),
      reason: z.string(),
      tookMs: z.number(),
      at: z.iso.datetime(),
    }),
  ),
});

export function createProbeMemory(path: string): ProbeMemory {
  const list = async (): Promise<readonly KvmFinding[]> => {
    const file = fileSchema.safeParse(await readJson(path));
    return file.success && file.data.bootId === (await hostBootId()) ? file.data.findings : [];
  };
  return {
    list,
    async remember(finding) {
      const others = (await list()).filter((known) => !isSame(known, finding));
      const findings = [...others, finding].slice(-MAX_FINDINGS);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const text = JSON.stringify({ version: VERSION, bootId: await hostBootId(), findings }, undefined, 2);
      await writeFileAtomic(path, `${text}\n`, { mode: 0o600 });
    },
  };
}

function isSame(one: KvmFinding, other: KvmFinding): boolean {
  return (
    one.engine === other.engine && one.programStamp === other.programStamp && one.kernelDigest === other.kernelDigest
  );
}

/** What cannot be read is not known: the host is probed again. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
