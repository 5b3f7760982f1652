/** Whether guests boot on Firecracker: one of our own is booted from a config file, without API, disk and network. */
import { PROBE_ARGUMENT } from '../../contracts/agent.ts';
import type { AcceleratorProbe } from '../../core/engines/ports.ts';
import { judgeProbe, PROBE_OUTPUT_BYTES, PROBE_TIMEOUT_MS } from '../../core/engines/probe-outcome.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { ProcessError, run } from '../../host/process.ts';

const MEMORY_MIB = 256;

export interface KvmProbeOptions {
  readonly programPath: string;
  /** Where the guest's first root and Firecracker's config are put. */
  readonly initrdPath: string;
  readonly configPath: string;
  /** Makes it: a cpio archive with the agent as its first program. */
  readonly makeInitrd: () => Promise<Uint8Array>;
  readonly timeoutMs?: number;
}

/** Not jailed: its guest is ours and does nothing, and what is asked is whether KVM runs guests. */
export function createKvmProbe(options: KvmProbeOptions): AcceleratorProbe {
  const { programPath, initrdPath, configPath, timeoutMs = PROBE_TIMEOUT_MS } = options;
  return {
    async probe(kernelPath, signal) {
      await writeFileAtomic(initrdPath, await options.makeInitrd(), { mode: 0o600 });
      await writeFileAtomic(configPath, JSON.stringify(probeConfig(kernelPath, initrdPath)), { mode: 0o600 });
      try {
        const { stdout } = await run([programPath, '--no-api', '--config-file', configPath], {
          signal,
          timeoutMs,
          maxOutputBytes: PROBE_OUTPUT_BYTES,
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
    },
  };
}

/** As Firecracker's docs/getting-started.md has it; the keys with hyphens are those of `/vm/config` since 1.1. */
function probeConfig(kernelPath: string, initrdPath: string): object {
  return {
    'boot-source': {
      kernel_image_path: kernelPath,
      initrd_path: initrdPath,
      boot_args: `console=ttyS0 reboot=k panic=-1 -- ${PROBE_ARGUMENT}`,
    },
    drives: [],
    'machine-config': { vcpu_count: 1, mem_size_mib: MEMORY_MIB },
  };
}
