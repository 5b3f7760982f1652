import type { Image } from '../../contracts/image.ts';
import { AppError } from '../app-error.ts';
import type { GuestAssets } from '../builds/ports.ts';
import type { NetworkService } from '../networks/network-service.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import { throwAll, Undo } from '../undo.ts';
import { AgentLink } from './agent-link.ts';
import type { AgentConnector } from './agent.ts';
import { identityFiles, REACHABILITY_FILES, REACHABILITY_SYMLINKS } from './guest-identity.ts';
import type { MachineTimeouts } from './machine-timeouts.ts';
import { networkArguments } from './network-arguments.ts';
import type { ChosenEngine, MachineIdentity, MachineSpec, RunningMachine } from './engine.ts';
import type { DiskFile, Disks, GuestSession, GuestShell, GuestTarget, MachineFolders, SshKeys } from './ports.ts';
import { awaitGuest, type BootingGuest, GUEST_STAGES } from './readiness.ts';
import type { VmRecord } from './repository.ts';
import { type GuestToShutDown, shutDown, type ShutDownContext } from './shut-down.ts';

export interface MachineRunnerDependencies {
  readonly network: NetworkService;
  readonly shell: GuestShell;
  readonly keys: SshKeys;
  readonly disks: Disks;
  readonly folders: MachineFolders;
  readonly assets: GuestAssets;
  readonly timeouts: MachineTimeouts;
  readonly connector: AgentConnector;
  readonly log: (message: string, facts: Record<string, unknown>) => void;
}

export interface BootPlan extends ChosenEngine {
  readonly diskPath: string;
  readonly startedAt: string;
}

/** What makes a clone of an image a guest of its own, beside its record. */
export interface PersonalDisk {
  readonly diskPath: string;
  readonly hostPrivateKey: string;
  /** Of the user's. */
  readonly files?: readonly DiskFile[];
}

/** A machine that runs, and the way to its guest's agent. */
export interface BootedMachine {
  readonly machine: RunningMachine;
  readonly agent: AgentLink;
}

type BootContext = Pick<OperationContext, 'stage' | 'skip' | 'signal'>;

/** The stages of `boot`, in order. */
export const BOOT_STAGES: readonly string[] = ['attach', 'process', 'kernel', ...GUEST_STAGES];

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

  /** Gives the disk the guest's name, its host key, our key, its network script, and files of the user's. */
  async personalise(
    record: VmRecord,
    { hostPrivateKey, diskPath, files: own = [] }: PersonalDisk,
    signal: AbortSignal,
  ): Promise<void> {
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
    const entries = { files: [...own, ...files, ...reachability], symlinks: REACHABILITY_SYMLINKS };
    await disks.writeFiles(diskPath, entries, signal);
  }

  /**
   * Stages `attach`, `process`, `kernel`, and those of the guest. A failure or an abort leaves neither VMM nor TAP.
   *
   * @throws AppError of the network, the engine, BOOT_TIMEOUT, BOOT_EXITED.
   */
  async boot(record: VmRecord, plan: BootPlan, context: BootContext): Promise<BootedMachine> {
    const { network, folders } = this.#deps;
    const undo = new Undo();
    try {
      undo.add(`TAP ${record.tapName}`, () => network.detach(record.tapName));
      await context.stage('attach', async (stage) => {
        await network.attach(record, stage.signal);
        stage.note(record.address);
      });
      // Before the start: the engine has it written down while it still may fail.
      undo.add(`runtime record of ${record.name}`, () => folders.clearRuntime(record.id));
      const machine = await this.#startMachine(record, plan, context);
      undo.add(`VMM of ${record.name}`, async () => {
        await machine.kill();
      });
      const agent = this.linkAgent(record, machine);
      undo.add(`link to the agent of ${record.name}`, () => agent.close());
      await awaitGuest(this.#booting(record, { machine, agent }), context);
      return { machine, agent };
    } catch (error) {
      throw await undo.after(error);
    }
  }

  /** Begins to talk to a machine's agent, if it has one; it ends with the machine. */
  linkAgent(record: Pick<VmRecord, 'name'>, machine: RunningMachine): AgentLink {
    const { connector, log } = this.#deps;
    return new AgentLink(machine, { connector, log: (line) => log(line, { vm: record.name }) });
  }

  /** Two stages of one start: `process` ends with the VMM's first evidence, `kernel` with the guest's first sign of life. */
  async #startMachine(record: VmRecord, plan: BootPlan, { stage, signal }: BootContext): Promise<RunningMachine> {
    const { engine, notice, startedAt } = plan;
    const { folders } = this.#deps;
    const { promise: evident, resolve } = Promise.withResolvers<MachineIdentity>();
    await folders.ensureRunDir(record.id);
    const spec = await this.#spec(record, plan.diskPath);
    const start = (): Promise<RunningMachine> =>
      engine.start(
        {
          ...spec,
          onIdentity: async (identity) => {
            const shape = { cpus: record.cpus, memoryBytes: record.memoryBytes };
            await folders.writeRuntime(record.id, { identity, startedAt, shape });
            resolve(identity);
          },
        },
        signal,
      );
    const starting = await stage('process', async ({ log, note }) => {
      if (notice !== undefined) log(notice);
      const machine = start();
      const identity = await Promise.race([evident, machine.then((started) => started.identity)]);
      note(`${engine.name}/${engine.accelerator}, pid ${identity.pid}`);
      return { machine };
    });
    return stage('kernel', async ({ note }) => {
      const machine = await starting.machine;
      if (machine.bootRetries > 0) note(`started ${machine.bootRetries + 1} times (silent console)`);
      return machine;
    });
  }

  async #spec(record: VmRecord, diskPath: string): Promise<Omit<MachineSpec, 'onIdentity'>> {
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
      limits: {},
      consolePath: folder.consolePath,
      vmmLogPath: folder.vmmLogPath,
      controlSocketPath: folder.controlSocketPath,
      agentSocketPath: folder.agentSocketPath,
    };
  }

  #booting(record: VmRecord, { machine, agent }: BootedMachine): BootingGuest {
    const { timeouts, folders, shell } = this.#deps;
    const { accelerator } = machine.identity;
    const timeoutMs = timeouts.readyMs[accelerator];
    return {
      machine,
      agent,
      hasAgent: record.hasAgent,
      timeoutMs,
      patienceMs: timeouts.agentPatienceMs[accelerator],
      awaitGreeting: (signal) => shell.awaitGreeting(targetOf(record), { timeoutMs }, signal),
      consoleTail: () => folders.consoleTail(record.id, CONSOLE_TAIL_LINES),
    };
  }

  /** A session as root in a guest that is ready. It ends with the VMM: a guest that is gone closes no connection. */
  async connect(record: VmRecord, machine: RunningMachine, signal: AbortSignal): Promise<GuestSession> {
    return this.#connect(record, machine, {
      timeoutMs: this.#deps.timeouts.readyMs[machine.identity.accelerator],
      signal,
    });
  }

  /** As `connect`, for a caller that lets go of the session itself when the VMM is gone. */
  dial(record: VmRecord, machine: RunningMachine, signal: AbortSignal): Promise<GuestSession> {
    const { shell, timeouts } = this.#deps;
    const timeoutMs = timeouts.readyMs[machine.identity.accelerator];
    return shell.connect(targetOf(record), { timeoutMs }, signal);
  }

  async #connect(
    record: VmRecord,
    machine: RunningMachine,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<GuestSession> {
    // A guest that is gone answers no more: nobody waits for it until the deadline.
    const gone = new AbortController();
    void machine.exited.then(() => gone.abort(new AppError('GUEST_UNREACHABLE', 'Its VMM has ended.')));
    const limit = AbortSignal.any([signal, gone.signal]);
    const session = await this.#deps.shell.connect(targetOf(record), { timeoutMs }, limit);
    void machine.exited.then(() => session.abandon());
    return session;
  }

  /** As `shutDown` of shut-down.ts. @returns how it ended. */
  async shutDown(
    record: VmRecord,
    { machine, agent }: BootedMachine,
    context: ShutDownContext,
  ): Promise<'clean' | 'killed'> {
    const connect: GuestToShutDown['connect'] = (options) => this.#connect(record, machine, options);
    return shutDown({ machine, agent, timeouts: this.#deps.timeouts, connect }, context);
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

function targetOf(record: Pick<VmRecord, 'address' | 'hostPublicKey'>): GuestTarget {
  return { address: record.address, port: SSH_PORT, user: 'root', hostPublicKey: record.hostPublicKey };
}
