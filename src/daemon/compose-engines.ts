/** The part of the composition root that knows which engines there are. */
import { totalmem } from 'node:os';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { probeInitrd } from '../adapters/guest-assets/probe-initrd.ts';
import { createKvmHost } from '../adapters/host-facts/kvm-host.ts';
import { KVM_DEVICE, probeDevice } from '../adapters/host-facts/device-probe.ts';
import { createProbeMemory } from '../adapters/host-facts/probe-memory.ts';
import { createFirecrackerDriver } from '../adapters/firecracker/driver.ts';
import { createQemuDriver } from '../adapters/qemu/driver.ts';
import type { Config } from '../contracts/config.ts';
import type { EngineFact } from '../core/doctor/engine-checks.ts';
import { EngineSelection } from '../core/engines/engine-selection.ts';
import { KvmProbing } from '../core/engines/kvm-probing.ts';
import type { EngineDriver, KvmFinding, KvmHost } from '../core/engines/ports.ts';
import type { KernelInspector } from '../core/images/ports.ts';
import { hasCode } from '../host/error-code.ts';
import { imageFiles, type Paths } from '../host/paths.ts';

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

/**
 * The engines as they are on this host, for doctor.
 *
 * @param kernelPath to boot a guest with, on each engine whose program is there; undefined: none is booted, and what an
 * earlier one has found is told.
 */
export async function lookAtEngines(
  { drivers, kvm }: Engineering,
  kernelPath: string | undefined,
  signal: AbortSignal,
): Promise<readonly EngineFact[]> {
  const facts: EngineFact[] = [];
  for (const driver of drivers) {
    const refusal = await driver.refusal();
    const mayProbe = refusal === undefined && kernelPath !== undefined && (await probeDevice(KVM_DEVICE)) === 'usable';
    if (mayProbe) await kvm.probeAnew(driver, kernelPath, signal);
    facts.push({ name: driver.name, refusal, finding: refusal ? undefined : await kvm.recall(driver) });
  }
  return facts;
}

/** The kernel of the newest image; undefined where there is no image. */
export async function newestKernel({ imagesDir }: Pick<Paths, 'imagesDir'>): Promise<string | undefined> {
  const ids = await readdir(imagesDir).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  });
  let newest: { readonly path: string; readonly mtimeMs: number } | undefined;
  for (const id of ids) {
    const path = imageFiles(join(imagesDir, id)).kernel;
    const mtimeMs = await stat(path).then(
      (facts) => facts.mtimeMs,
      () => undefined,
    );
    if (mtimeMs !== undefined && mtimeMs > (newest?.mtimeMs ?? 0)) newest = { path, mtimeMs };
  }
  return newest?.path;
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
