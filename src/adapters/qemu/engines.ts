import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Config } from '../../contracts/config.ts';
import type { Accelerator } from '../../contracts/vm.ts';
import { AppError } from '../../core/app-error.ts';
import type { Engine, Engines, MachineIdentity } from '../../core/vms/engine.ts';
import { errorCode } from '../../host/error-code.ts';
import { ProcessError, run } from '../../host/process.ts';
import { QemuEngine } from './engine.ts';
import { type HostTsc, readHostTsc } from './host-tsc.ts';
import { QEMU_INSTALL_HINT } from './launch.ts';
import { endUnrecorded } from './unrecorded.ts';

const DEFAULT_QEMU = 'qemu-system-x86_64';
const VERSION_TIMEOUT_MS = 10_000;
/** A guest shows life 0.4 s after its start in software; each try allows more for a host that is busy. */
const BOOT_TIMEOUTS_MS: Readonly<Record<Accelerator, readonly number[]>> = {
  kvm: [5_000, 10_000, 20_000],
  tcg: [10_000, 20_000, 40_000],
};
const KVM_DEVICE = '/dev/kvm';

export interface QemuEnginesOptions {
  /** `engine` of the config. */
  readonly engine: Config['engine'];
  /** `accelerator` of the config. */
  readonly accelerator: Config['accelerator'];
  /** `qemu_bin` of the config; undefined: `qemu-system-x86_64` on PATH. */
  readonly qemuPath: string | undefined;
  /** Instead of the usual ones: one try of the boot each. */
  readonly bootTimeoutsMs?: readonly number[];
  /** Multiplies the usual ones; 1 where left out. */
  readonly timeoutScale?: number;
}

/**
 * The engines of this version: QEMU, and nothing else.
 *
 * `accelerator = "auto"` means software emulation for now. That /dev/kvm opens is no proof: there are hosts on which
 * it does and no guest ever gets past its first instructions. A later version boots a probe guest first; until
 * then KVM is used where the config asks for it.
 */
export function createQemuEngines(options: QemuEnginesOptions): Engines {
  const qemuPath = options.qemuPath ?? DEFAULT_QEMU;
  const { timeoutScale = 1 } = options;
  let tsc: Promise<HostTsc | undefined> | undefined;
  const engineFor = (accelerator: Accelerator): Engine =>
    new QemuEngine({
      qemuPath,
      accelerator,
      bootTimeoutsMs:
        options.bootTimeoutsMs ?? BOOT_TIMEOUTS_MS[accelerator].map((timeoutMs) => timeoutMs * timeoutScale),
      // Once for the life of the daemon: it does not change between boots of the host.
      tsc: () => (tsc ??= readHostTsc()),
    });
  return {
    async choose(): Promise<Engine> {
      if (options.engine === 'firecracker') throw noFirecracker();
      await assertRuns(qemuPath);
      if (options.accelerator !== 'kvm') return engineFor('tcg');
      await assertKvmOpens();
      return engineFor('kvm');
    },
    forIdentity(identity: MachineIdentity): Engine {
      if (identity.engine === 'firecracker') throw noFirecracker();
      return engineFor(identity.accelerator);
    },
    endUnrecorded,
  };
}

function noFirecracker(): AppError {
  return new AppError(
    'ENGINE_UNAVAILABLE',
    'This version of banger has no Firecracker engine; it runs VMs on QEMU only.',
    {
      hint: 'Set `engine = "qemu"` or "auto" in the config file.',
    },
  );
}

async function assertRuns(qemuPath: string): Promise<void> {
  try {
    await run([qemuPath, '--version'], { timeoutMs: VERSION_TIMEOUT_MS });
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    const hint = error.failure === 'not-found' ? QEMU_INSTALL_HINT : 'Check `qemu_bin` in the config file.';
    throw new AppError('ENGINE_UNAVAILABLE', `QEMU cannot be used: ${error.message}`, { hint, cause: error });
  }
}

async function assertKvmOpens(): Promise<void> {
  try {
    await (await open(KVM_DEVICE, constants.O_RDWR)).close();
  } catch (error) {
    const code = errorCode(error) ?? String(error);
    throw new AppError('ENGINE_UNAVAILABLE', `${KVM_DEVICE} cannot be opened (${code}).`, {
      hint:
        code === 'EACCES'
          ? 'Join its group, then log in again: sudo usermod -aG kvm $USER'
          : 'Turn virtualisation on, or set `accelerator = "tcg"` in the config file.',
      cause: error,
    });
  }
}
