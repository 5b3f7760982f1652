import { type Accelerator, MAX_CPUS } from '../../contracts/vm.ts';
import { AppError } from '../../core/app-error.ts';
import type {
  Engine,
  EngineCapabilities,
  MachineIdentity,
  MachineSpec,
  RunningMachine,
} from '../../core/vms/engine.ts';
import { fitsSocket, SOCKET_PATH_MAX_BYTES } from '../../host/paths.ts';
import { textTail } from '../../host/text-tail.ts';
import { adopt } from './adopt.ts';
import { MAX_DRIVES, qemuArgv } from './argv.ts';
import type { HostTsc } from './host-tsc.ts';
import { launch } from './launch.ts';

const CONSOLE_LINES = 5;

export interface QemuEngineOptions {
  readonly qemuPath: string;
  readonly accelerator: Accelerator;
  /** One try each; how long the guest may take to show life on its console. */
  readonly bootTimeoutsMs: readonly number[];
  /** The host's time stamp counter; asked for only where software emulation needs it. */
  readonly tsc: () => Promise<HostTsc | undefined>;
}

/** QEMU's `microvm` machine. One object serves every VM; it holds no state of theirs. */
export class QemuEngine implements Engine {
  readonly name = 'qemu';
  readonly accelerator: Accelerator;
  readonly slowness: number;
  readonly capabilities: EngineCapabilities = {
    snapshots: false,
    pauseRefused: undefined,
    maxCpus: MAX_CPUS,
    maxDrives: MAX_DRIVES,
    limits: ['diskBytesPerSecond'],
    kernelFormats: ['bzimage', 'elf'],
  };
  readonly #options: QemuEngineOptions;

  constructor(options: QemuEngineOptions) {
    this.#options = options;
    this.accelerator = options.accelerator;
    this.slowness = options.accelerator === 'kvm' ? 1 : 10;
  }

  async start(spec: MachineSpec, signal: AbortSignal): Promise<RunningMachine> {
    assertSocketFits(spec.controlSocketPath);
    const { qemuPath, accelerator, bootTimeoutsMs } = this.#options;
    const tsc = accelerator === 'tcg' ? await this.#options.tsc() : undefined;
    const argv = qemuArgv(spec, { qemuPath, accelerator, tsc });
    for (const [bootRetries, bootTimeoutMs] of bootTimeoutsMs.entries()) {
      const machine = await launch(spec, { argv, accelerator, bootRetries, bootTimeoutMs }, signal);
      if (machine) return machine;
    }
    throw new AppError(
      'BOOT_TIMEOUT',
      `The guest showed no life on its console in ${bootTimeoutsMs.length} tries, the last of ${bootTimeoutsMs.at(-1)} ms.`,
      {
        hint: 'Is the kernel one that prints to ttyS0? The console file shows what there is.',
        details: { consolePath: spec.consolePath, consoleTail: await textTail(spec.consolePath, CONSOLE_LINES) },
      },
    );
  }

  adopt(identity: MachineIdentity): Promise<RunningMachine | undefined> {
    return adopt(identity);
  }
}

function assertSocketFits(path: string): void {
  if (fitsSocket(path)) return;
  throw new AppError(
    'PATH_TOO_LONG',
    `The control socket's path has more than ${SOCKET_PATH_MAX_BYTES} bytes: ${path}`,
  );
}
