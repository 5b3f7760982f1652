/** The composition root: the only file that knows which adapter stands behind which port. */
import { existsSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import type { Config } from '../contracts/config.ts';
import { BANGER_VERSION } from '../contracts/version.ts';
import { FileOperationJournal } from '../adapters/journal/operation-journal.ts';
import { createAgentConnector } from '../adapters/agent/agent-connector.ts';
import { createDebianBootstrapper } from '../adapters/bootstrap/debian.ts';
import { dialGuest } from '../adapters/dial/guest-dial.ts';
import { createDisks } from '../adapters/disks/disks.ts';
import { createHostFiles } from '../adapters/file-sync/host-files.ts';
import { createImageFolders } from '../adapters/folders/image-folders.ts';
import { createMachineFolders } from '../adapters/folders/machine-folders.ts';
import { ForwarderLink } from '../adapters/forwarder/forwarder-link.ts';
import { startWaiters } from '../adapters/forwarder/waiters.ts';
import { createGuestAssets } from '../adapters/guest-assets/guest-assets.ts';
import { digestTree } from '../adapters/guest-assets/tree-digest.ts';
import { hostUsage } from '../adapters/host-facts/process-usage.ts';
import { bindResolvConf, ensureNamespace } from '../adapters/host-network/namespace.ts';
import { createKernelInspector } from '../adapters/kernels/inspector.ts';
import { suggestName } from '../adapters/names/name-generator.ts';
import { createSources } from '../adapters/sources/sources.ts';
import { createGuestShell } from '../adapters/ssh/guest-shell.ts';
import { createSshKeys } from '../adapters/ssh/keys.ts';
import { NamedHosts } from '../adapters/ssh/named-hosts.ts';
import { SqliteImageRepository } from '../adapters/store/image-repository.ts';
import { SqliteNameReservations } from '../adapters/store/name-reservations.ts';
import { openDatabase } from '../adapters/store/open-database.ts';
import { SqliteOperationRepository } from '../adapters/store/operation-repository.ts';
import { SqlitePeerRepository } from '../adapters/store/peer-repository.ts';
import { SqliteVmRepository } from '../adapters/store/vm-repository.ts';
import { describe } from '../core/app-error.ts';
import { BuildRun } from '../core/builds/build-run.ts';
import { BuildService } from '../core/builds/build-service.ts';
import { AGENT_BINARY } from '../core/builds/rootfs-files.ts';
import { StepRunner } from '../core/builds/step-runner.ts';
import { EventBus } from '../core/events/event-bus.ts';
import { ImageService } from '../core/images/image-service.ts';
import type { NetworkService } from '../core/networks/network-service.ts';
import { OperationService } from '../core/operations/operation-service.ts';
import { ExecService } from '../core/vms/exec-service.ts';
import { GuestConnections } from '../core/vms/guest-connections.ts';
import { HttpProbe } from '../core/publishing/http-probe.ts';
import { PublishingService } from '../core/publishing/publishing-service.ts';
import { VmPortsService } from '../core/publishing/vm-ports-service.ts';
import { LeaseService } from '../core/vms/lease-service.ts';
import { LiveMachines } from '../core/vms/live-machines.ts';
import { MachineRunner } from '../core/vms/machine-runner.ts';
import { machineTimeouts } from '../core/vms/machine-timeouts.ts';
import { vmDefaults } from '../core/vms/machine-plan.ts';
import { VerbRunner } from '../core/vms/verb-runner.ts';
import { VmChanges } from '../core/vms/vm-changes.ts';
import { VmCreation } from '../core/vms/vm-creation.ts';
import { VmDirectory } from '../core/vms/vm-directory.ts';
import { VmObservation } from '../core/vms/vm-observation.ts';
import { VmService } from '../core/vms/vm-service.ts';
import { machineFiles, type Paths } from '../host/paths.ts';
import { composeEngines } from './compose-engines.ts';
import { composeNetwork } from './compose-network.ts';
import type { DaemonFacts } from './handlers/daemon.ts';
import { daemonHandlers } from './handlers/daemon.ts';
import { imageHandlers } from './handlers/images.ts';
import { operationHandlers } from './handlers/operations.ts';
import { vmPortsHandlers } from './handlers/vm-ports.ts';
import { vmHandlers } from './handlers/vms.ts';
import type { Log } from './log.ts';
import type { ReconcileDependencies } from './reconcile.ts';
import type { Handlers } from './route-handlers.ts';

export { bindResolvConf, ensureNamespace, startWaiters };

export interface ComposeOptions {
  readonly paths: Paths;
  readonly config: Config;
  readonly log: Log;
  /** The project's `guest/` folder, and where what is built for guests lies. */
  readonly guestDirs: { readonly guest: string; readonly built: string };
  /** Addresses of the host itself, which guests are refused in banger's namespace. */
  readonly hostAddresses: readonly string[];
  readonly facts: DaemonFacts;
  /** The user's own, where files to be copied into VMs may come from. */
  readonly userHome: string;
  /** Multiplies every deadline of a guest's boot and power-off; 1 but in tests of these. */
  readonly timeoutScale: number;
}

export interface Composition {
  readonly handlers: Handlers;
  readonly reconcile: ReconcileDependencies;
  readonly operations: OperationService;
  readonly vms: VmService;
  readonly network: NetworkService;
  /** For once it is settled which VMs there are: what follows from that. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** For a command that begins a VM, or that sees the daemon start anew, to take up the VM's lease. */
const LEASE_GRACE_MS = 60_000;
/** Commands come in bursts; between these a guest need not answer our keepalives. */
const CONNECTION_IDLE_MS = 3 * 60_000;

export function compose(options: ComposeOptions): Composition {
  const { paths, config, log, guestDirs, timeoutScale } = options;
  const now = (): Date => new Date();
  const database = openDatabase(paths.database);
  const images = new SqliteImageRepository(database);
  const vms = new SqliteVmRepository(database);
  const peers = new SqlitePeerRepository(database);
  const names = new SqliteNameReservations(database);

  const bus = new EventBus(now);
  const operations = new OperationService({
    repository: new SqliteOperationRepository(database, (problem) => log.error({ err: problem }, 'store')),
    journal: new FileOperationJournal(paths.operationsDir, (problem) => log.error({ err: problem }, 'journal')),
    bus,
    now,
    onFault: (error, operationId) => log.error({ err: error, operationId }, 'fault in an operation'),
    onEnd: ({ id, kind, target, state }, error) =>
      log.info({ operationId: id, kind, target, state, ...(error !== undefined && { err: error }) }, 'operation ended'),
  });

  const warn = (message: string, facts: Record<string, unknown>): void => log.warn(facts, message);
  const network = composeNetwork(options, {
    peers: () => peers.addresses(),
    onChange: (tapName) => directory.tellChanged(tapName),
    log: warn,
  });
  const disks = createDisks({ tempDir: paths.stagingDir });
  const keys = createSshKeys({
    sshDir: paths.sshDir,
    knownHostsPath: paths.knownHosts,
    userKeyPath: config.ssh_key_path,
  });
  const shell = createGuestShell({ privateKey: () => keys.clientPrivateKey() });
  const machineFolders = createMachineFolders(paths);
  const imageFolders = createImageFolders(paths);
  const kernels = createKernelInspector();
  const assets = createGuestAssets(guestDirs);
  const { selection: engines } = composeEngines({
    paths,
    config,
    timeoutScale,
    kernels,
    agentPath: join(guestDirs.built, basename(AGENT_BINARY.path)),
    digest: (path, signal) => disks.digest(path, signal),
    log: (line) => log.warn(line),
    onProbed: (finding) => log.info({ ...finding }, 'KVM probed'),
  });
  const namedHosts = new NamedHosts({
    path: paths.vmHosts,
    list: () => vms.list().filter(({ transient }) => !transient),
    onFault: (error) => log.error({ err: error }, 'host keys by name'),
  });
  const publish = (change: Parameters<EventBus['publish']>[0]): void => {
    bus.publish(change);
    if (change.resource !== 'vm') return;
    publishing.changed();
    void namedHosts.sync();
  };
  const timeouts = machineTimeouts(timeoutScale);
  const runner = new MachineRunner({
    network,
    shell,
    keys,
    disks,
    folders: machineFolders,
    assets,
    timeouts,
    connector: createAgentConnector(),
    log: warn,
  });

  const imageService = new ImageService({
    images,
    vms,
    names,
    folders: imageFolders,
    disks,
    kernels,
    bootstrapper: createDebianBootstrapper({
      assets,
      uid: process.getuid?.() ?? 0,
      apt: config.apt,
    }),
    operations,
    publish,
    now,
    bangerVersion: BANGER_VERSION,
    stateDir: paths.stateDir,
  });
  const defaults = vmDefaults(config.vm_defaults, { cpus: availableParallelism(), memoryBytes: totalmem() });
  const { cidr } = config.network;
  const live = new LiveMachines();
  const directory = new VmDirectory({
    vms,
    peers,
    live,
    publish,
    consolePath: (vmId) => machineFiles(join(paths.vmsDir, vmId), join(paths.machinesDir, vmId)).console,
  });
  const verbs = new VerbRunner(operations, directory);
  const publishingFacts = { mode: config.network.mode, cidr, namespaceName: paths.namespaceName };
  const namesEnabled = (): boolean => existsSync(paths.dnsRecord);
  const publishing = new PublishingService({
    directory,
    live,
    forwarder: config.network.publish_ports ? new ForwarderLink({ paths, log: warn }) : undefined,
    facts: publishingFacts,
    namesEnabled,
    log: warn,
  });
  const probe = new HttpProbe(dialGuest);
  const vmPorts = new VmPortsService({ directory, live, publishing, probe, facts: publishingFacts, namesEnabled });
  const creation = new VmCreation({
    vms,
    peers,
    directory,
    live,
    images: imageService,
    operations,
    engines,
    runner,
    disks,
    folders: machineFolders,
    keys,
    hostFiles: createHostFiles({
      entries: config.file_sync,
      home: options.userHome,
      uid: process.getuid?.() ?? 0,
    }),
    defaults,
    defaultImageName: config.default_image_name,
    cidr,
    suggestName,
    now,
  });
  const vmService = new VmService({
    vms,
    directory,
    live,
    verbs,
    creation,
    engines,
    runner,
    disks,
    folders: machineFolders,
    keys,
    log: warn,
    now,
  });
  const changes = new VmChanges({
    vms,
    peers,
    directory,
    live,
    verbs,
    operations,
    images: imageService,
    network,
    runner,
    disks,
    folders: machineFolders,
  });
  const observation = new VmObservation({
    directory,
    live,
    network,
    disks,
    folders: machineFolders,
    usage: hostUsage,
    now,
  });
  const connections = new GuestConnections({ idleMs: CONNECTION_IDLE_MS });
  const execService = new ExecService({ directory, live, runner, connections });
  const leaseService = new LeaseService({
    vms,
    directory,
    vmService,
    operations,
    log: warn,
    graceMs: LEASE_GRACE_MS * timeoutScale,
  });
  const buildService = new BuildService({
    images: imageService,
    kernels,
    names,
    vms,
    operations,
    engines,
    disks,
    machineFolders,
    keys,
    run: new BuildRun({
      images: imageService,
      imageFolders,
      machineFolders,
      vms,
      runner,
      steps: new StepRunner(assets, digestTree, now),
      sources: createSources({ cacheDir: paths.cacheDir }),
      disks,
      keys,
      now,
      bangerVersion: BANGER_VERSION,
    }),
    config,
    defaults,
    cidr,
    now,
  });

  return {
    handlers: {
      ...daemonHandlers(options.facts, vmService, operations),
      ...imageHandlers(imageService, buildService),
      ...vmHandlers({ vms: vmService, changes, observation, exec: execService, leases: leaseService }, dialGuest),
      ...vmPortsHandlers(vmPorts),
      ...operationHandlers(operations, bus),
    },
    reconcile: {
      vms,
      images,
      names,
      operations,
      engines,
      runner,
      network,
      machineFolders,
      imageFolders,
      vmService,
      log,
    },
    operations,
    vms: vmService,
    network,
    async settled() {
      publishing.changed();
      leaseService.resume();
      await namedHosts.sync();
    },
    async close() {
      engines.close();
      leaseService.close();
      await connections.close();
      publishing.close();
      vmService.releaseAll();
      await network.close();
      try {
        database.close();
      } catch (error) {
        log.error({ error: describe(error) }, 'the database did not close');
      }
    },
  };
}
