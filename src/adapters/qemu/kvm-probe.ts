/** Whether guests boot on an accelerator: one of our own is booted, which says a line and resets itself. */
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { ProcessError, run } from '../../host/process.ts';
import { PROBE_ARGUMENT, PROBE_LINE } from '../../contracts/agent.ts';
import type { Accelerator } from '../../contracts/vm.ts';
import type { AcceleratorProbe, ProbeOutcome } from '../../core/engines/ports.ts';

/** On KVM it takes a fifth of a second; a guest that has said nothing by now never will. */
const TIMEOUT_MS = 5_000;
const MEMORY = '256M';
/** Of the console: a kernel's messages are 30 KB. */
const MAX_OUTPUT_BYTES = 256 * 1024;

export interface KvmProbeOptions {
  readonly qemuPath: string;
  readonly accelerator: Accelerator;
  /** Where the guest's first root is put. */
  readonly initrdPath: string;
  /** Makes it: a cpio archive with the agent as its first program. */
  readonly makeInitrd: () => Promise<Uint8Array>;
  readonly timeoutMs?: number;
}

export function createKvmProbe(options: KvmProbeOptions): AcceleratorProbe {
  return {
    async probe(kernelPath, signal) {
      await writeFileAtomic(options.initrdPath, await options.makeInitrd(), { mode: 0o600 });
      return bootOnce(options, kernelPath, signal);
    },
  };
}

async function bootOnce(options: KvmProbeOptions, kernelPath: string, signal: AbortSignal): Promise<ProbeOutcome> {
  const { timeoutMs = TIMEOUT_MS } = options;
  try {
    const { stdout } = await run(probeArgv(options, kernelPath), {
      signal,
      timeoutMs,
      maxOutputBytes: MAX_OUTPUT_BYTES,
      // A guest that spins must not outlive a daemon that is killed.
      endsWithUs: true,
      cwd: '/',
    });
    return stdout.includes(PROBE_LINE)
      ? { usable: true, reason: 'a guest was seen to run programs' }
      : { usable: false, reason: `the guest ended without a word of ours${lastLine(stdout)}` };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ProcessError)) throw error;
    // Said is said, whether it could reset itself afterwards or not.
    if (error.stdout.includes(PROBE_LINE)) return { usable: true, reason: 'a guest was seen to run programs' };
    if (error.failure !== 'timeout') return { usable: false, reason: firstLine(error.message) };
    const silent =
      error.stdout.trim() === '' ? 'said nothing' : `got no further than its kernel${lastLine(error.stdout)}`;
    return { usable: false, reason: `a guest ${silent} within ${timeoutMs / 1000} s` };
  }
}

function probeArgv({ qemuPath, accelerator, initrdPath }: KvmProbeOptions, kernelPath: string): [string, ...string[]] {
  const machine = ['-machine', 'microvm,acpi=on', '-m', MEMORY, '-nodefaults', '-no-user-config', '-display', 'none'];
  const processor = accelerator === 'kvm' ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg', '-cpu', 'max'];
  const fences = ['-no-reboot', '-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'];
  const boot = ['-kernel', kernelPath, '-initrd', initrdPath, '-append', `console=ttyS0 panic=-1 -- ${PROBE_ARGUMENT}`];
  return [qemuPath, ...machine, ...processor, ...fences, ...boot, '-serial', 'stdio'];
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

function lastLine(text: string): string {
  const last = text.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return last === '' ? '' : `; its last line: ${last.slice(0, 200)}`;
}
