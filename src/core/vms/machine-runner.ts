import type { Image } from '../../contracts/image.ts';
import { AppError } from '../app-error.ts';
import type { GuestAssets } from '../builds/ports.ts';
import type { NetworkService } from '../networks/network-service.ts';
import type { StageRunner } from '../operations/operation-context.ts';
import { throwAll, Undo } from '../undo.ts';
import { identityFiles, REACHABILITY_FILES, REACHABILITY_SYMLINKS } from './guest-identity.ts';
import type { MachineTimeouts } from './machine-timeouts.ts';
import { networkArguments } from './network-arguments.ts';
import type {
  Disks,
  Engine,
  GuestSession,
  GuestShell,
  GuestTarget,
  MachineFolders,
  RunningMachine,
  SshKeys,
} from './ports.ts';
import { waitUntilReady } from './readiness.ts';
import type { VmRecord } from './repository.ts';

export interface MachineRunnerDependencies {
  readonly network: NetworkService;
  readonly shell: GuestShell;
  readonly keys: SshKeys;
  readonly disks: Disks;
  readonly folders: MachineFolders;
  readonly assets: GuestAssets;
  readonly timeouts: MachineTimeouts;
}

const SSH_PORT = 22;
const CONSOLE_TAIL_LINES = 30;

/** Brings one machine up and down: what a VM's verbs and an image build have in common. */
export class MachineRunner {
  readonly #deps: MachineRunnerDependencies;

  constructor(deps: MachineRunnerDependencies) {
    this.#deps = deps;
  }

  /** Clones the image's rootfs as the machine's disk, at least as large as asked. @returns how it was cloned. */
  async cloneDisk(
    image: Image,
    target: { readonly diskPath: string; readonly diskBytes: number },
    signal: AbortSignal,
  ): Promise<string> {
    const { disks } = this.#deps;
    const how = await disks.clone(image.rootfsPath, target.diskPath, signal);
    if (target.diskBytes > image.sizeBytes) await disks.grow(target.diskPath, target.diskBytes, signal);
    // An unmanaged image may have been left mounted or unclean; ours are checked when they are sealed.
    else if (!image.managed) await disks.check(target.diskPath, signal);
    return how;
  }

  /** Gives the disk the guest's name, its host key, our key and its network script. */
  async personalise(record: VmRecord, hostPrivateKey: string, diskPath: string, signal: AbortSignal): Promise<void> {
    const { disks, keys, assets } = this.#deps;
    const authorizedKeys = await disks.readFile(diskPath, '/root/.ssh/authorized_keys');
    const files = identityFiles({
      hostname: record.name,
      hostPrivateKey,
      hostPublicKey: record.hostPublicKey,
      clientPublicKey: await keys.clientPublicKey(),
      authorizedKeys: new TextDecoder().decode(authorizedKeys),
    });
    const reachability = await Promise.all(
      REACHABILITY_FILES.map(async ({ path, mode }) => {
        const { content } = await assets.read(`rootfs${path}`);
        return { path, mode, content };
      }),
    );
    await disks.writeFiles(diskPath, { files: [...files, ...reachability], symlinks: REACHABILITY_SYMLINKS }, signal);
  }

  /**
   * Stages `network`, `boot` and `ready`. A failure or an abort leaves neither VMM nor TAP.
   *
   * @throws AppError of the network, the engine, BOOT_TIMEOUT, BOOT_EXITED.
   */
  async boot(
    record: VmRecord,
    plan: { readonly engine: Engine; readonly diskPath: string; readonly startedAt: string },
    stage: StageRunner,
  ): Promise<RunningMachine> {
    const { engine } = plan;
    const { network, folders } = this.#deps;
    const undo = new Undo();
    try {
      undo.add(`TAP ${record.tapName}`, () => network.detach(record.tapName));
      await stage('network', async (context) => {
        await network.attach(record, context.signal);
        context.note(record.address);
      });
      // Before the start: the engine has it written down while it still may fail.
      undo.add(`runtime record of ${record.name}`, () => folders.clearRuntime(record.id));
      const machine = await stage('boot', async (context) => {
        await folders.ensureRunDir(record.id);
        const started = await engine.start(await this.#spec(record, plan), context.signal);
        context.note(startNote(engine, started));
        return started;
      });
      undo.add(`VMM of ${record.name}`, async () => {
        await machine.kill();
      });
      await stage('ready', (context) => this.#waitUntilReady(record, machine, context));
      return machine;
    } catch (error) {
      throw await undo.after(error);
    }
  }

  async #spec(
    record: VmRecord,
    { diskPath, startedAt }: { readonly diskPath: string; readonly startedAt: string },
  ): Promise<Parameters<Engine['start']>[0]> {
    const { network, folders } = this.#deps;
    const folder = folders.locate(record.id);
    const nameServers = await network.guestNameServers();
    return {
      id: record.id,
      name: record.name,
      cpus: record.cpus,
      memoryBytes: record.memoryBytes,
      kernelPath: record.kernelPath,
      initrdPath: record.initrdPath,
      kernelArgs: networkArguments({ address: record.address, hostname: record.name, nameServers }, network.bridge),
      drives: [{ id: 'root', path: diskPath, readOnly: false }],
      nic: { tapName: record.tapName, macAddress: record.macAddress },
      consolePath: folder.consolePath,
      vmmLogPath: folder.vmmLogPath,
      controlSocketPath: folder.controlSocketPath,
      onIdentity: (identity) => folders.writeRuntime(record.id, { identity, startedAt }),
    };
  }

  async #waitUntilReady(
    record: VmRecord,
    machine: RunningMachine,
    context: { readonly signal: AbortSignal; log(line: string): void },
  ): Promise<void> {
    const timeoutMs = this.#deps.timeouts.readyMs[machine.identity.accelerator];
    await waitUntilReady(
      {
        machine,
        consoleTail: () => this.#deps.folders.consoleTail(record.id, CONSOLE_TAIL_LINES),
        log: (line) => context.log(line),
        probes: [
          {
            name: 'ssh',
            timeoutMs,
            hint: 'Is sshd installed and enabled in the image? The console’s last lines show how far the boot came.',
            wait: (signal) => this.#deps.shell.awaitGreeting(targetOf(record), { timeoutMs }, signal),
          },
        ],
      },
      context.signal,
    );
  }

  /** A session as root in a guest that is ready. It ends with the VMM: a guest that is gone closes no connection. */
  async connect(record: VmRecord, machine: RunningMachine, signal: AbortSignal): Promise<GuestSession> {
    return this.#connect(record, machine, {
      timeoutMs: this.#deps.timeouts.readyMs[machine.identity.accelerator],
      signal,
    });
  }

  async #connect(
    record: VmRecord,
    machine: RunningMachine,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<GuestSession> {
    const session = await this.#deps.shell.connect(targetOf(record), { timeoutMs }, signal);
    void machine.exited.then(() => session.abandon());
    return session;
  }

  /**
   * Sync first, then power off, then a bounded wait, then kill: what was written is on the disk.
   * A guest that cannot be asked over SSH has its power button pressed instead.
   *
   * @returns how it ended.
   */
  async shutDown(record: VmRecord, machine: RunningMachine, context: ShutDownContext): Promise<'clean' | 'killed'> {
    const { accelerator } = machine.identity;
    const { timeouts } = this.#deps;
    const timeoutMs = timeouts.stopConnectMs[accelerator];
    const powerOffMs = timeouts.powerOffMs[accelerator];
    try {
      await using session =
        context.session ?? (await this.#connect(record, machine, { timeoutMs, signal: context.signal }));
      await session.run({ program: '/bin/sync', timeoutMs: powerOffMs }, context.signal);
      await session.run({ program: '/sbin/poweroff', timeoutMs }, context.signal);
    } catch (error) {
      // A guest that powers off takes the connection with it; one that does not answer gets the button.
      if (!(error instanceof AppError) || !isSilence(error)) throw error;
      context.log(`Asking over ssh ended with: ${error.message}`);
      if (!(await hasExited(machine, 0))) await machine.pressPowerButton(context.signal);
    }
    if (await hasExited(machine, powerOffMs, context.signal)) return 'clean';
    context.log('The guest did not power off in time; its VMM is killed.');
    await machine.kill();
    return 'killed';
  }

  /** Takes down what `boot` set up, once the VMM is gone. */
  async release(record: VmRecord): Promise<void> {
    const undo = new Undo();
    undo.add(`runtime record of ${record.name}`, () => this.#deps.folders.clearRuntime(record.id));
    undo.add(`TAP ${record.tapName}`, () => this.#deps.network.detach(record.tapName));
    throwAll(await undo.run());
  }

  /** Removes everything a machine has on the host but its record: VMM, TAP, pinned key, folders. */
  async remove(record: VmRecord, machine: RunningMachine | undefined): Promise<AppError[]> {
    const undo = new Undo();
    undo.add(`folder of ${record.name}`, () => this.#deps.folders.remove(record.id));
    undo.add(`pinned host key of ${record.name}`, () => this.#deps.keys.unpin(record.id));
    undo.add(`TAP ${record.tapName}`, () => this.#deps.network.detach(record.tapName));
    if (machine) {
      undo.add(`VMM of ${record.name}`, async () => {
        await machine.kill();
      });
    }
    return undo.run();
  }
}

export interface ShutDownContext {
  readonly signal: AbortSignal;
  /** An open session, where there is one; it is closed. */
  readonly session?: GuestSession;
  log(line: string): void;
}

function targetOf(record: Pick<VmRecord, 'address' | 'hostPublicKey'>): GuestTarget {
  return { address: record.address, port: SSH_PORT, user: 'root', hostPublicKey: record.hostPublicKey };
}

function startNote(engine: Engine, machine: RunningMachine): string {
  const retries = machine.bootRetries === 0 ? '' : `, started ${machine.bootRetries + 1} times (silent console)`;
  return `${engine.name}/${engine.accelerator}, pid ${machine.identity.pid}${retries}`;
}

function isSilence(error: AppError): boolean {
  return error.code === 'GUEST_UNREACHABLE' || error.code === 'BUILD_STEP_TIMEOUT';
}

/** True once the VMM is gone; false where `timeoutMs` passes first. */
async function hasExited(machine: RunningMachine, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), timeoutMs);
  const onAbort = (): void => reject(signal?.reason as Error);
  signal?.addEventListener('abort', onAbort, { once: true });
  void machine.exited.then(() => resolve(true));
  try {
    signal?.throwIfAborted();
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}
