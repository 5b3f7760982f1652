import type { Image } from '../../contracts/image.ts';
import type { Operation } from '../../contracts/operation.ts';
import type { CreateVmRequest, Vm } from '../../contracts/vm.ts';
import { AppError } from '../app-error.ts';
import { imageNotFound } from '../images/image-not-found.ts';
import type { ImageService } from '../images/image-service.ts';
import { newId } from '../ids.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import type { OperationService } from '../operations/operation-service.ts';
import { throwAll, Undo } from '../undo.ts';
import type { LiveMachines } from './live-machines.ts';
import type { HostFiles } from './host-files.ts';
import { planRecord, type ResolvedSpec, resolveSpec, type VmDefaults } from './machine-plan.ts';
import { BOOT_STAGES, type MachineRunner } from './machine-runner.ts';
import type { ChosenEngine, Engines } from './engine.ts';
import type { Disks, MachineFolders, SshKeys } from './ports.ts';
import { peerIdsOf } from './peer-ids.ts';
import type { PeerRepository, VmRecord, VmRepository } from './repository.ts';
import type { VmDirectory } from './vm-directory.ts';

export interface VmCreationDependencies {
  readonly vms: VmRepository;
  readonly peers: PeerRepository;
  readonly directory: VmDirectory;
  readonly live: LiveMachines;
  readonly images: ImageService;
  readonly operations: OperationService;
  readonly engines: Engines;
  readonly runner: MachineRunner;
  readonly disks: Disks;
  readonly folders: MachineFolders;
  readonly keys: SshKeys;
  readonly hostFiles: HostFiles;
  readonly defaults: VmDefaults;
  readonly defaultImageName: string | undefined;
  readonly cidr: string;
  readonly suggestName: () => string;
  readonly now: () => Date;
}

/** How often a made-up name may clash before the VM's own id is taken. */
const NAME_ATTEMPTS = 20;

/** Makes VMs: everything is checked and reserved at once, the rest is an operation. */
export class VmCreation {
  readonly #deps: VmCreationDependencies;

  constructor(deps: VmCreationDependencies) {
    this.#deps = deps;
  }

  /** @param start brings the VM up, once its disk is there. */
  async create(
    request: CreateVmRequest,
    start: (record: VmRecord, chosen: ChosenEngine, context: OperationContext) => Promise<void>,
  ): Promise<Operation> {
    const { images, engines, disks, keys, folders, directory, hostFiles, peers } = this.#deps;
    const { name } = request;
    const held = await images.hold(this.#imageName(request), `creation of VM ${name ?? ''}`.trim());
    try {
      const { image } = held;
      const spec = resolveSpec(request, image, this.#deps.defaults);
      const chosen = await engines.choose({ ...spec, kernelPath: image.boot.kernelPath });
      await images.assertSpace(await disks.allocatedBytes(image.rootfsPath), `the disk of a VM`);
      const id = newId('vm');
      folders.locate(id);
      const synced = await hostFiles.read();
      const hostKey = await keys.generateHostKey();
      const facts = { id, image, spec, engine: chosen.engine.name, hostPublicKey: hostKey.publicKey };
      const peerIds = peerIdsOf(directory, request.peers, name);
      const record = this.#reserve(name, facts);
      directory.hold(id, 'creating');
      const stages = ['clone', 'personalise', ...(request.start ? BOOT_STAGES : [])];
      try {
        peers.set(record.id, peerIds);
        return this.#deps.operations.start({ kind: 'vm.create', target: record.name, stages }, (context) =>
          this.#make(
            record,
            {
              image,
              hostPrivateKey: hostKey.privateKey,
              synced,
              start: () => (request.start ? start(record, chosen, context) : Promise.resolve()),
            },
            context,
          )
            .finally(held.release)
            .finally(() => directory.letGo(record)),
        );
      } catch (error) {
        directory.forget(record);
        throw error;
      }
    } catch (error) {
      held.release();
      throw error;
    }
  }

  #imageName(request: CreateVmRequest): string {
    if (request.image !== undefined) return request.image;
    const known = this.#deps.images.list();
    const usual = this.#deps.defaultImageName;
    if (usual !== undefined) {
      const names = known.map((image) => image.name);
      if (!names.includes(usual)) throw imageNotFound(usual, names, 'default_image_name in the config');
      return usual;
    }
    const only = known[0];
    if (only && known.length === 1) return only.name;
    throw new AppError(
      'IMAGE_NOT_FOUND',
      only ? 'Several images are there, and none is the default.' : 'There is no image to create a VM from.',
      {
        hint: only
          ? `Name one with --image (${known.map((image) => image.name).join(', ')}), or set default_image_name in the config.`
          : 'Make a first one: banger image bootstrap debian',
      },
    );
  }

  #reserve(
    name: string | undefined,
    facts: Pick<Parameters<typeof planRecord>[0], 'id' | 'image' | 'engine' | 'hostPublicKey'> & {
      readonly spec: ResolvedSpec;
    },
  ): VmRecord {
    const createdAt = this.#deps.now().toISOString();
    const record = this.#deps.vms.reserve((taken) => {
      const chosen = name ?? this.#madeUpName(facts.id, taken.names);
      return planRecord(
        { ...facts, name: chosen, transient: false, createdAt, cidr: this.#deps.cidr },
        taken.addresses,
      );
    });
    this.#deps.directory.tell(record, 'created');
    return record;
  }

  #madeUpName(id: string, taken: ReadonlySet<string>): string {
    for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt += 1) {
      const name = this.#deps.suggestName();
      if (!taken.has(name)) return name;
    }
    return id;
  }

  async #make(
    record: VmRecord,
    plan: {
      readonly image: Image;
      readonly hostPrivateKey: string;
      readonly synced: Awaited<ReturnType<HostFiles['read']>>;
      readonly start: () => Promise<void>;
    },
    context: OperationContext,
  ): Promise<Vm> {
    const { runner, folders, keys, vms, live, directory } = this.#deps;
    const undo = new Undo();
    undo.add(`record of ${record.name}`, () => directory.forget(record));
    try {
      undo.add(`machine of ${record.name}`, async () => {
        throwAll(await runner.remove(record, live.take(record.id)?.machine));
      });
      const folder = await folders.create(record.id);
      await context.stage('clone', async (stage) =>
        stage.note(
          await runner.cloneDisk(plan.image, { diskPath: folder.diskPath, diskBytes: record.diskBytes }, stage.signal),
        ),
      );
      await context.stage('personalise', async (stage) => {
        const { hostPrivateKey, synced } = plan;
        for (const path of synced.missing) stage.log(`file_sync: ${path} is not there, and left out`);
        const files = synced.files;
        await runner.personalise(record, { hostPrivateKey, diskPath: folder.diskPath, files }, stage.signal);
        if (files.length > 0) stage.note(`${files.length} of your files`);
        await keys.pin(record.id, record.hostPublicKey);
      });
      await plan.start();
      // Only now: a daemon that is killed before leaves a VM that its next start removes. The record is read again,
      // since its image may have been promoted meanwhile.
      const ready: VmRecord = { ...(vms.find(record.id) ?? record), phase: 'ready' };
      vms.update(ready);
      undo.clear();
      return directory.view(ready, 'settled');
    } catch (error) {
      context.undoing();
      throw await undo.after(error);
    }
  }
}
