/** Whether guests boot on an accelerator: one of our own is booted, which says a line and resets itself. */
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { ProcessError, run } from '../../host/process.ts';
import { PROBE_ARGUMENT } from '../../contracts/agent.ts';
import type { Accelerator } from '../../contracts/vm.ts';
import type { AcceleratorProbe, ProbeOutcome } from '../../core/engines/ports.ts';
import { judgeProbe, PROBE_OUTPUT_BYTES, PROBE_TIMEOUT_MS } from '../../core/engines/probe-outcome.ts';

const MEMORY = '256M';

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
  const { timeoutMs = PROBE_TIMEOUT_MS } = options;
  try {
    const { stdout } = await run(probeArgv(options, kernelPath), {
      signal,
      timeoutMs,
      maxOutputBytes: PROBE_OUTPUT_BYTES,
      // A guest that spins must not outlive a daemon that is killed.
      endsWithUs: true,
      cwd: '/',
    });
    return judgeProbe({ stdout, failure: undefined }, timeoutMs);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ProcessError)) throw error;
    const kind = error.failure === 'timeout' ? 'timeout' : 'other';
    return judgeProbe({ stdout: error.stdout, failure: { kind, message: error.message } }, timeoutMs);
  }
}

function probeArgv({ qemuPath, accelerator, initrdPath }: KvmProbeOptions, kernelPath: string): [string, ...string[]] {
  const machine = ['-machine', 'microvm,acpi=on', '-m', MEMORY, '-nodefaults', '-no-user-config', '-display', 'none'];
  const processor = accelerator === 'kvm' ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg', '-cpu', 'max'];
  const fences = ['-no-reboot', '-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'];
  const boot = ['-kernel', kernelPath, '-initrd', initrdPath, '-append', `console=ttyS0 panic=-1 -- ${PROBE_ARGUMENT}`];
  return [qemuPath, ...machine, ...processor, ...fences, ...boot, '-serial', 'stdio'];
}
