/** QEMU as one of the engines that a host may have. */
import { stat } from 'node:fs/promises';
import type { Accelerator } from '../../contracts/vm.ts';
import type { AcceleratorProbe, EngineDriver, Refusal } from '../../core/engines/ports.ts';
import type { Engine } from '../../core/vms/engine.ts';
import { hasCode } from '../../host/error-code.ts';
import { ProcessError, run } from '../../host/process.ts';
import { findProgram } from '../../host/search-path.ts';
import { QemuEngine } from './engine.ts';
import { type HostTsc, readHostTsc } from './host-tsc.ts';
import { createKvmProbe, type KvmProbeOptions } from './kvm-probe.ts';
import { QEMU_INSTALL_HINT } from './launch.ts';
import { endUnrecorded } from './unrecorded.ts';

const DEFAULT_QEMU = 'qemu-system-x86_64';
const VERSION_TIMEOUT_MS = 10_000;
/** A guest shows life 0.4 s after its start in software; each try allows more for a host that is busy. */
const BOOT_TIMEOUTS_MS: Readonly<Record<Accelerator, readonly number[]>> = {
  kvm: [5_000, 10_000, 20_000],
  tcg: [10_000, 20_000, 40_000],
};

export interface QemuDriverOptions {
  /** `qemu_bin` of the config; undefined: `qemu-system-x86_64` on PATH. */
  readonly qemuPath: string | undefined;
  /** Multiplies the deadlines of a boot; 1 where left out. */
  readonly timeoutScale?: number;
  readonly probe: Pick<KvmProbeOptions, 'initrdPath' | 'makeInitrd'>;
}

export function createQemuDriver(options: QemuDriverOptions): EngineDriver {
  const { timeoutScale = 1 } = options;
  const qemuPath = options.qemuPath ?? DEFAULT_QEMU;
  let tsc: Promise<HostTsc | undefined> | undefined;
  const kvmProbe: AcceleratorProbe = createKvmProbe({ ...options.probe, qemuPath, accelerator: 'kvm' });
  const engine = (accelerator: Accelerator): Engine =>
    new QemuEngine({
      qemuPath,
      accelerator,
      bootTimeoutsMs: BOOT_TIMEOUTS_MS[accelerator].map((timeoutMs) => timeoutMs * timeoutScale),
      // Once for the life of the daemon: it does not change between boots of the host.
      tsc: () => (tsc ??= readHostTsc()),
    });
  return {
    name: 'qemu',
    refusal: () => refusal(qemuPath),
    programStamp: () => programStamp(qemuPath),
    engineFor: (accelerator) => Promise.resolve(engine(accelerator)),
    adopterFor: engine,
    kvmProbe,
    endUnrecorded,
  };
}

async function refusal(qemuPath: string): Promise<Refusal | undefined> {
  try {
    await run([qemuPath, '--version'], { timeoutMs: VERSION_TIMEOUT_MS });
    return undefined;
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    return error.failure === 'not-found'
      ? { reason: `${qemuPath} is not installed`, hint: QEMU_INSTALL_HINT.replace(/^I/, 'i') }
      : { reason: 'it cannot be run', detail: error.message, hint: 'check `qemu_bin` in the config file' };
  }
}

/** Another file, and so a file that was replaced or changed in place, has another stamp. */
async function programStamp(qemuPath: string): Promise<string> {
  const path = await findProgram(qemuPath);
  if (path === undefined) return '';
  try {
    const { size, mtimeMs, ino } = await stat(path);
    return `${path} ${size} ${ino} ${mtimeMs}`;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
