/** The whole domain on fakes, but for a real SQLite store: every service wired as the daemon wires it. */
import { join } from 'node:path';
import type { Image } from '../../../src/contracts/image.ts';
import { FileOperationJournal } from '../../../src/adapters/journal/operation-journal.ts';
import { SqliteImageRepository } from '../../../src/adapters/store/image-repository.ts';
import { MIGRATIONS } from '../../../src/adapters/store/migrations/all-migrations.ts';
import { SqliteNameReservations } from '../../../src/adapters/store/name-reservations.ts';
import { openDatabase } from '../../../src/adapters/store/open-database.ts';
import { SqliteOperationRepository } from '../../../src/adapters/store/operation-repository.ts';
import { SqlitePeerRepository } from '../../../src/adapters/store/peer-repository.ts';
import { SqliteVmRepository } from '../../../src/adapters/store/vm-repository.ts';
import { configSchema } from '../../../src/contracts/config.ts';
import { BuildRun } from '../../../src/core/builds/build-run.ts';
import { BuildService } from '../../../src/core/builds/build-service.ts';
import { StepRunner } from '../../../src/core/builds/step-runner.ts';
import { EventBus } from '../../../src/core/events/event-bus.ts';
import { ImageService } from '../../../src/core/images/image-service.ts';
import { planAddresses, planBridge } from '../../../src/core/networks/address-plan.ts';
import { NetworkService } from '../../../src/core/networks/network-service.ts';
import { OperationService } from '../../../src/core/operations/operation-service.ts';
import { LiveMachines } from '../../../src/core/vms/live-machines.ts';
import { MachineRunner } from '../../../src/core/vms/machine-runner.ts';
import { machineTimeouts } from '../../../src/core/vms/machine-timeouts.ts';
import { VerbRunner } from '../../../src/core/vms/verb-runner.ts';
import { VmChanges } from '../../../src/core/vms/vm-changes.ts';
import { VmCreation } from '../../../src/core/vms/vm-creation.ts';
import { VmDirectory } from '../../../src/core/vms/vm-directory.ts';
import { VmService } from '../../../src/core/vms/vm-service.ts';
import {
  fakeAssets,
  fakeDisks,
  FakeHost,
  fakeImageFolders,
  fakeKernels,
  fakeKeys,
  fakeMachineFolders,
  fakeNetwork,
  fakeShell,
  fakeSources,
} from './fake-host.ts';
import { FakeEngine } from './fake-machine.ts';
import { FaultPoints } from './fault-points.ts';

/** Calls that undo: a fault in these is another test's affair. */
const RELEASES = ['remove', 'removeTap', 'discard', 'clearRuntime', 'unpin', 'keepFailed', 'release', 'kill', 'delete'];
const CIDR = '10.77.0.0/24';

export interface World {
  readonly host: FakeHost;
  readonly engine: FakeEngine;
  readonly faults: FaultPoints;
  readonly images: ImageService;
  readonly builds: BuildService;
  readonly vms: VmService;
  readonly changes: VmChanges;
  readonly operations: OperationService;
  /** Everything that is held: on the fake host, in the store, and VMMs. */
  snapshot(): Record<string, unknown>;
  close(): void;
}

export function sourceImage(name = 'debian'): Image {
  return {
    id: 'img-0000000001',
    name,
    managed: true,
    rootfsPath: '/images/img-0000000001/rootfs.ext4',
    boot: { kernelPath: '/images/img-0000000001/kernel', initrdPath: '/images/img-0000000001/initrd' },
    sizeBytes: 2 * 2 ** 30,
    digest: `sha256:${'0'.repeat(64)}`,
    createdAt: '2026-01-01T00:00:00.000Z',
    provenance: { method: 'bootstrap', bangerVersion: '0.1.0', parameters: {}, steps: [] },
  };
}

/** @param dir takes the store and the journals. */
export function makeWorld(dir: string, faults = new FaultPoints(), defaultImageName?: string): World {
  const now = (): Date => new Date();
  const database = openDatabase(join(dir, 'state.db'), MIGRATIONS);
  const host = new FakeHost();
  const engine = new FakeEngine();
  const bus = new EventBus(now);
  const unexpected: unknown[] = [];
  const watch = <Port extends object>(name: string, port: Port): Port => faults.watch(name, port, RELEASES);
  const images = new SqliteImageRepository(database);
  const vms = watch('vms', new SqliteVmRepository(database));
  const storedPeers = new SqlitePeerRepository(database);
  const peers = watch('peers', storedPeers);
  const names = watch('names', new SqliteNameReservations(database));
  const operations = new OperationService({
    repository: new SqliteOperationRepository(database, (problem) => unexpected.push(problem)),
    journal: new FileOperationJournal(join(dir, 'operations'), (problem) => unexpected.push(problem)),
    bus,
    now,
    onFault: () => undefined,
  });
  const byAddress = (address: string): string | undefined => vms.list().find((vm) => vm.address === address)?.id;
  const powerOff = (address: string): void =>
    engine.running.get(byAddress(address) ?? '')?.end({ reason: 'guest-shutdown', detail: 'power off' });
  const network = new NetworkService(watch('network', fakeNetwork(host)), planBridge(planAddresses(CIDR), 'banger0'), {
    tableName: 'banger_test',
    configuredDns: undefined,
    refusedAddresses: [],
    throughPasta: false,
    gate: { port: 5378, open: () => Promise.resolve(), close: () => Promise.resolve() },
    peers: () => peers.addresses(),
    onChange: () => undefined,
    log: () => undefined,
  });
  const disks = watch('disks', fakeDisks());
  const keys = watch('keys', fakeKeys(host));
  const folders = watch('machineFolders', fakeMachineFolders(host));
  const imageFolders = watch('imageFolders', fakeImageFolders(host));
  const assets = watch('assets', fakeAssets());
  const kernels = watch('kernels', fakeKernels());
  const watchedEngine = watch('engine', engine);
  const engines = watch('engines', {
    choose: () => Promise.resolve({ engine: watchedEngine, notice: undefined }),
    forIdentity: () => watchedEngine,
    endUnrecorded: () => Promise.resolve([]),
  });
  const shell = watch('shell', fakeShell(host, powerOff));
  const runner = new MachineRunner({
    network,
    shell,
    keys,
    disks,
    folders,
    assets,
    timeouts: machineTimeouts(1),
    // The machines here have no channel to an agent.
    connector: { connect: () => Promise.reject(new Error('nobody connects')) },
    log: () => undefined,
  });
  const publish = (change: Parameters<EventBus['publish']>[0]): void => bus.publish(change);
  const imageService = new ImageService({
    images: watch('images', images),
    vms,
    names,
    folders: imageFolders,
    disks,
    kernels,
    bootstrapper: {
      bootstrap: (_request, _staged, stage) =>
        stage('packages', async ({ signal }) => {
          faults.hit('bootstrapper.bootstrap');
          signal.throwIfAborted();
          return Promise.resolve(['apt 1.0']);
        }),
    },
    operations,
    publish,
    now,
    bangerVersion: '0.1.0',
    stateDir: dir,
  });
  const defaults = {
    cpus: 2,
    memoryBytes: 2 ** 30,
    diskBytes: undefined,
    origins: { cpus: 'host', memory: 'host' } as const,
  };
  const live = new LiveMachines();
  const directory = new VmDirectory({
    vms,
    peers: storedPeers,
    live,
    publish,
    consolePath: (vmId) => `/vms/${vmId}/console.log`,
  });
  const verbs = new VerbRunner(operations, directory);
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
    folders,
    keys,
    hostFiles: { read: () => Promise.resolve({ files: [], missing: [] }) },
    defaults,
    defaultImageName,
    cidr: CIDR,
    suggestName: () => 'calm-otter',
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
    folders,
    keys,
    log: () => undefined,
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
    folders,
  });
  const builds = new BuildService({
    images: imageService,
    kernels,
    names,
    vms,
    operations,
    engines,
    disks,
    machineFolders: folders,
    keys,
    run: new BuildRun({
      images: imageService,
      imageFolders,
      machineFolders: folders,
      vms,
      runner,
      steps: new StepRunner(assets, () => Promise.resolve(`sha256:${'b'.repeat(64)}`), now),
      sources: watch('sources', fakeSources()),
      disks,
      keys,
      now,
      bangerVersion: '0.1.0',
    }),
    config: configSchema.parse({}),
    defaults,
    cidr: CIDR,
    now,
  });
  return {
    host,
    engine,
    faults,
    images: imageService,
    builds,
    vms: vmService,
    changes,
    operations,
    snapshot: () =>
      faults.uncounted(() => ({
        ...host.snapshot(),
        running: [...engine.running.keys()],
        vmRecords: vms.list().map((vm) => vm.name),
        images: images.list().map((image) => image.name),
        reservations: database.all('SELECT name FROM image_name_reservations').map((row) => row['name']),
        unexpected,
      })),
    close: () => database.close(),
  };
}
