/** The part of the composition root that knows which engines there are. */
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { probeInitrd } from '../adapters/guest-assets/probe-initrd.ts';
import { createKvmHost } from '../adapters/host-facts/kvm-host.ts';
import { createProbeMemory } from '../adapters/host-facts/probe-memory.ts';
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
  readonly onProbed: (finding: KvmFinding) => void;
}

export interface Engineering {
  readonly selection: EngineSelection;
  readonly kvm: KvmProbing;
  readonly drivers: readonly EngineDriver[];
}

export function composeEngines(parts: EngineParts): Engineering {
  const { paths, config, kernels } = parts;
  const drivers = [
    createQemuDriver({
      qemuPath: config.qemu_bin,
      timeoutScale: parts.timeoutScale,
      probe: {
        initrdPath: join(paths.cacheDir, 'probe.cpio'),
        makeInitrd: () => probeInitrd(parts.agentPath),
      },
    }),
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
