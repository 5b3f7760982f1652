/** On what the figures were taken. */
import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { ProcessError, run } from '../src/host/process.ts';

const TIMEOUT_MS = 10_000;

export interface MachineFacts {
  readonly processor: string;
  readonly processors: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly linux: string;
  readonly node: string;
  /** First line of what QEMU says about itself; undefined where it is not installed. */
  readonly qemu: string | undefined;
}

export async function machineFacts(signal: AbortSignal): Promise<MachineFacts> {
  const osRelease = await readFile('/etc/os-release', 'utf8');
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    memoryBytes: totalmem(),
    system: /^PRETTY_NAME="?(.*?)"?$/m.exec(osRelease)?.[1] ?? 'unknown',
    linux: release(),
    node: process.version,
    qemu: await qemuVersion(signal),
  };
}

/** Of the last minute, with one decimal more than one can trust. */
export function load(): number {
  return Number((loadavg()[0] ?? Number.NaN).toFixed(2));
}

async function qemuVersion(signal: AbortSignal): Promise<string | undefined> {
  try {
    const { stdout } = await run(['qemu-system-x86_64', '--version'], { signal, timeoutMs: TIMEOUT_MS });
    return stdout.split('\n', 1)[0];
  } catch (error) {
    if (error instanceof ProcessError && error.failure === 'not-found') return undefined;
    throw error;
  }
}
