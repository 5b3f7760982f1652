import { MAX_CPUS } from '../../contracts/vm.ts';
import { AppError } from '../../core/app-error.ts';
import type {
  Engine,
  EngineCapabilities,
  MachineIdentity,
  MachineSpec,
  RunningMachine,
} from '../../core/vms/engine.ts';
import { textTail } from '../../host/text-tail.ts';
import { adopt } from './adopt.ts';
import { launch, type LaunchPlan } from './launch.ts';
import { MAX_DRIVES, MAX_VCPUS } from './machine-config.ts';
import { assertKvmOpens, checkMachine } from './preflight.ts';
import { type FirecrackerVersion, kernelFormatsOf, pauseRefusal } from './version.ts';

const CONSOLE_LINES = 5;

export interface FirecrackerEngineOptions {
  readonly version: FirecrackerVersion;
  readonly firecrackerPath: string;
  readonly jail: LaunchPlan['jail'];
  /** One try each; how long the guest may take to show life on its console. */
  readonly bootTimeoutsMs: readonly number[];
  readonly log: (line: string) => void;
}

/** Firecracker on KVM. One object serves every VM; it holds no state of theirs. */
export class FirecrackerEngine implements Engine {
  readonly name = 'firecracker';
  readonly accelerator = 'kvm';
  readonly slowness = 1;
  readonly capabilities: EngineCapabilities;
  readonly #options: FirecrackerEngineOptions;

  constructor(options: FirecrackerEngineOptions) {
    this.#options = options;
    this.capabilities = {
      snapshots: false,
      pauseRefused: pauseRefusal(options.version),
      maxCpus: Math.min(MAX_CPUS, MAX_VCPUS),
      maxDrives: MAX_DRIVES,
      limits: ['diskBytesPerSecond', 'networkBytesPerSecond'],
      kernelFormats: kernelFormatsOf(options.version),
    };
  }

  async start(spec: MachineSpec, signal: AbortSignal): Promise<RunningMachine> {
    const { firecrackerPath, jail, bootTimeoutsMs, log } = this.#options;
    await checkMachine(spec, this.capabilities);
    await assertKvmOpens();
    for (const [bootRetries, bootTimeoutMs] of bootTimeoutsMs.entries()) {
      const machine = await launch(spec, { firecrackerPath, jail, bootRetries, bootTimeoutMs, log }, signal);
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
    return adopt(identity, this.#options.log);
  }
}
