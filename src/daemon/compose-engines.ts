/** The part of the composition root that knows which engines there are. */
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { probeInitrd } from '../adapters/guest-assets/probe-initrd.ts';
import { createKvmHost } from '../adapters/host-facts/kvm-host.ts';
import { createProbeMemory } from '../adapters/host-facts/probe-memory.ts';
import { createFirecrackerDriver } from '../adapters/firecracker/driver.ts';
import { createQemuDriver } from '../adapters/qemu/driver.ts';
import type { Config } from '../contracts/config.ts';
import { EngineSelection } from '../core/engines/engine-selection.ts';
import { KvmProbing } from '../core/engines/kvm-probing.ts';
import type { EngineDriver, KvmFinding, KvmHost } from '../core/engines/ports.ts';
import type { KernelInspector } from '../core/images/ports.ts';
import type { Paths } from '../host/paths.ts';

export interface EngineParts {
  readonly paths: Paths;
  readonly config: Config;
  /** The agent's program, which is the first of a probe guest. */
  readonly agentPath: string;
  readonly timeoutScale: number;
  readonly kernels: KernelInspector;
  readonly digest: KvmHost['kernelDigest'];
  /** What an engine has to say to who runs the daemon. */
  readonly log: (line: string) => void;
  readonly onProbed: (finding: KvmFinding) => void;
}

export interface Engineering {
  readonly selection: EngineSelection;
  readonly kvm: KvmProbing;
  readonly drivers: readonly EngineDriver[];
}

export function composeEngines(parts: EngineParts): Engineering {
  const { paths, config, kernels } = parts;
  const { timeoutScale, log } = parts;
  const probe = {
    initrdPath: join(paths.cacheDir, 'probe.cpio'),
    configPath: join(paths.cacheDir, 'probe.json'),
    makeInitrd: () => probeInitrd(parts.agentPath),
  };
  const drivers = [
    createFirecrackerDriver({
      firecrackerPath: config.firecracker_bin,
      jailerPath: config.jailer_bin,
      jailer: config.jailer,
      jailsDir: paths.jailsDir,
      timeoutScale,
      probe,
      log,
    }),
    createQemuDriver({ qemuPath: config.qemu_bin, timeoutScale, probe }),
  ];
  const kvm = new KvmProbing({
    host: createKvmHost(parts.digest),
    memory: createProbeMemory(join(paths.cacheDir, 'kvm-probes.json')),
    now: () => new Date(),
    onProbed: parts.onProbed,
  });
  const settings = { engine: config.engine, accelerator: config.accelerator };
  const selection = new EngineSelection({ settings, drivers, kvm, kernels, hostMemoryBytes: totalmem() });
  return { selection, kvm, drivers };
}
