import type { BootstrapRequest } from '../../contracts/build.ts';
import type { BootSet, Image, ImageHistory, Provenance, RegisterImageRequest } from '../../contracts/image.ts';
import type { Operation } from '../../contracts/operation.ts';
import type { ResourceEvent } from '../../contracts/event.ts';
import { AppError } from '../app-error.ts';
import { listDigest } from '../digest.ts';
import { newId } from '../ids.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import type { OperationService } from '../operations/operation-service.ts';
import { Undo } from '../undo.ts';
import type { Disks } from '../vms/ports.ts';
import type { NameReservations, VmRepository } from '../vms/repository.ts';
import { readAgentVersion } from './agent-version.ts';
import { collectHistory } from './image-history.ts';
import { imageNotFound } from './image-not-found.ts';
import type { Bootstrapper, ImageFolders, ImageRepository, KernelInspector } from './ports.ts';

export interface ImageServiceDependencies {
  readonly images: ImageRepository;
  readonly vms: VmRepository;
  readonly names: NameReservations;
  readonly folders: ImageFolders;
  readonly disks: Disks;
  readonly kernels: KernelInspector;
  readonly bootstrapper: Bootstrapper;
  readonly operations: OperationService;
  readonly publish: (event: Omit<ResourceEvent, 'at'>) => void;
  readonly now: () => Date;
  readonly bangerVersion: string;
  readonly stateDir: string;
}

/** Room that making a first image takes beside the filesystem itself: the tar and the unpacked tree. */
const BOOTSTRAP_SCRATCH_BYTES = 1.5 * 2 ** 30;

/** The registry of images, and every way to make one but the build. */
export class ImageService {
  readonly #deps: ImageServiceDependencies;
  /** Who is copying an image now, a build or a VM's creation. Each has an entry of its own: two may be called the same. */
  readonly #holds = new Set<{ readonly imageId: string; readonly user: string }>();

  constructor(deps: ImageServiceDependencies) {
    this.#deps = deps;
  }

  list(): readonly Image[] {
    return this.#deps.images.list();
  }

  /** @throws AppError IMAGE_NOT_FOUND. */
  get(name: string): Image {
    const image = this.#deps.images.findByName(name);
    if (image) return image;
    throw imageNotFound(
      name,
      this.#deps.images.list().map((other) => other.name),
    );
  }

  async history(name: string): Promise<ImageHistory> {
    const image = this.get(name);
    const packages = image.managed ? await this.#deps.folders.readPackages(image.id) : [];
    return { entries: collectHistory(image, this.#deps.images.list()), packages: [...packages] };
  }

  /**
   * An image whose files are all there, held against deletion until `release`, which may be called more than once.
   *
   * @throws AppError IMAGE_NOT_FOUND, IMAGE_FILES_MISSING.
   */
  async hold(name: string, user: string): Promise<{ readonly image: Image; readonly release: () => void }> {
    const image = this.get(name);
    const hold = { imageId: image.id, user };
    this.#holds.add(hold);
    const release = (): void => void this.#holds.delete(hold);
    try {
      const { kernelPath, initrdPath, modulesPath } = image.boot;
      const paths = [image.rootfsPath, kernelPath, initrdPath, modulesPath].filter((path) => path !== undefined);
      await this.#deps.folders.assertReadable(paths);
    } catch (error) {
      release();
      throw error;
    }
    return { image, release };
  }

  /** @throws AppError KERNEL_INVALID, INITRD_INVALID, MODULES_INVALID. */
  async assertBootSet(boot: BootSet): Promise<void> {
    await this.#deps.kernels.inspectKernel(boot.kernelPath);
    if (boot.initrdPath !== undefined) await this.#deps.kernels.inspectInitrd(boot.initrdPath);
    if (boot.modulesPath !== undefined) await this.#deps.kernels.inspectModules(boot.modulesPath);
  }

  /** Makes a first image from packages. @throws AppError NAME_TAKEN, DISK_FULL before anything is made. */
  async bootstrap(name: string, request: BootstrapRequest): Promise<Operation> {
    await this.assertSpace(BOOTSTRAP_SCRATCH_BYTES, 'making a first image');
    const id = newId('img');
    return this.#making(
      'image.bootstrap',
      { name, id, stages: ['packages', 'files', 'filesystem', 'seal'] },
      async (context, undo) => {
        undo.add(`staging folder of ${name}`, () => this.#deps.folders.discard(id));
        const staged = await this.#deps.folders.stage(id);
        const packages = await this.#deps.bootstrapper.bootstrap(request, staged, context.stage, context.signal);
        return context.stage('seal', async (stage) => {
          await this.#deps.folders.writePackages(staged, packages);
          const { sizeBytes } = await this.#deps.disks.inspect(staged.rootfsPath);
          const digest = await this.#deps.disks.digest(staged.rootfsPath, stage.signal);
          undo.add(`folder of image ${name}`, () => this.#deps.folders.remove(id));
          const files = await this.#deps.folders.publish(staged, id);
          return this.insert({
            id,
            name,
            managed: true,
            ...files,
            sizeBytes,
            digest,
            packageCount: packages.length,
            packagesDigest: listDigest(packages),
            ...(await this.#agentIn(files.rootfsPath)),
            createdAt: this.#deps.now().toISOString(),
            provenance: this.#provenance('bootstrap', context.id, { ...request }),
          });
        });
      },
    );
  }

  /** Points at the user's own files; they are read, never written. */
  async register(name: string, request: RegisterImageRequest): Promise<Operation> {
    const { rootfsPath, ...boot } = request;
    const paths = [rootfsPath, boot.kernelPath, boot.initrdPath, boot.modulesPath];
    await this.#deps.folders.assertReadable(paths.filter((path) => path !== undefined));
    const { sizeBytes } = await this.#deps.disks.inspect(rootfsPath);
    await this.assertBootSet(bootSet(boot));
    const id = newId('img');
    return this.#making('image.register', { name, id, stages: ['digest'] }, (context) =>
      context.stage('digest', async (stage) =>
        this.insert({
          id,
          name,
          managed: false,
          rootfsPath,
          boot: bootSet(boot),
          sizeBytes,
          digest: await this.#deps.disks.digest(rootfsPath, stage.signal),
          ...(await this.#agentIn(rootfsPath)),
          createdAt: this.#deps.now().toISOString(),
          provenance: this.#provenance('register', context.id, { ...request }),
        }),
      ),
    );
  }

  /** Copies an unmanaged image's files into banger's own; the record keeps its id, so VMs stay attached to it. */
  async promote(name: string): Promise<Operation> {
    const { image, release } = await this.hold(name, `promotion of ${name}`);
    try {
      if (image.managed) throw new AppError('IMAGE_ALREADY_MANAGED', `Image "${name}" is managed already.`);
      await this.assertBootSet(image.boot);
      await this.assertSpace(await this.#deps.disks.allocatedBytes(image.rootfsPath), `promoting ${name}`);
      return this.#deps.operations.start(
        { kind: 'image.promote', target: name, stages: ['clone', 'boot set', 'seal'] },
        (context) => this.#promote(image, context).finally(release),
      );
    } catch (error) {
      release();
      throw error;
    }
  }

  async #promote(image: Image, context: OperationContext): Promise<Image> {
    const { folders, disks, images, vms } = this.#deps;
    const undo = new Undo();
    try {
      undo.add(`staging folder of ${image.name}`, () => folders.discard(image.id));
      const staged = await folders.stage(image.id);
      await context.stage('clone', async (stage) =>
        stage.note(await disks.clone(image.rootfsPath, staged.rootfsPath, stage.signal)),
      );
      await context.stage('boot set', (stage) => folders.copyBootSet(staged, image.boot, stage.signal));
      return await context.stage('seal', async (stage) => {
        await disks.check(staged.rootfsPath, stage.signal);
        const digest = await disks.digest(staged.rootfsPath, stage.signal);
        undo.add(`folder of image ${image.name}`, () => folders.remove(image.id));
        const files = await folders.publish(staged, image.id);
        const provenance = {
          ...this.#provenance('promote', context.id, { ...image.provenance.parameters }),
          source: { name: image.name, digest: image.digest },
        };
        const promoted: Image = { ...image, managed: true, ...files, digest, provenance };
        images.update(promoted);
        for (const vm of vms.usingImage(image.id)) {
          vms.update({ ...vm, kernelPath: files.boot.kernelPath, initrdPath: files.boot.initrdPath });
        }
        undo.clear();
        this.#deps.publish({ resource: 'image', name: image.name, change: 'updated' });
        return promoted;
      });
    } catch (error) {
      throw await undo.after(error);
    }
  }

  /** @throws AppError IMAGE_NOT_FOUND; IMAGE_IN_USE with the names of the VMs and builds that use it. */
  delete(name: string): Operation {
    const image = this.get(name);
    const machines = this.#deps.vms
      .usingImage(image.id)
      .map((vm) => (vm.transient ? `build VM ${vm.name}` : `VM ${vm.name}`));
    const holders = [...this.#holds].filter(({ imageId }) => imageId === image.id).map(({ user }) => user);
    const users = [...new Set([...machines, ...holders])];
    if (users.length > 0) {
      throw new AppError('IMAGE_IN_USE', `Image "${name}" is used by ${users.join(', ')}.`, { details: { users } });
    }
    // The record goes at once: a half-removed folder is swept up at the next start, a half-removed image never seen.
    this.#deps.images.delete(image.id);
    this.#deps.publish({ resource: 'image', name, change: 'deleted' });
    return this.#deps.operations.start({ kind: 'image.delete', target: name, stages: ['files'] }, (context) =>
      context.stage('files', async (stage) => {
        if (image.managed) await this.#deps.folders.remove(image.id);
        else stage.note('unmanaged: your files stay');
      }),
    );
  }

  /** @throws AppError DISK_FULL. */
  async assertSpace(neededBytes: number, what: string): Promise<void> {
    const freeBytes = await this.#deps.disks.freeBytes(this.#deps.stateDir);
    if (freeBytes >= neededBytes) return;
    throw new AppError('DISK_FULL', `Not enough disk space for ${what} in ${this.#deps.stateDir}.`, {
      details: { neededBytes, freeBytes },
    });
  }

  /** Records a finished image and tells everybody. */
  insert(image: Image): Image {
    this.#deps.images.insert(image);
    this.#deps.publish({ resource: 'image', name: image.name, change: 'created' });
    return image;
  }

  /** Takes the name, runs the work with an undo stack, and gives the name back where it failed. */
  #making(
    kind: 'image.bootstrap' | 'image.register',
    plan: { readonly name: string; readonly id: string; readonly stages: string[] },
    work: (context: OperationContext, undo: Undo) => Promise<Image>,
  ): Operation {
    this.#deps.names.reserveImageName(plan.name, plan.id);
    return this.#deps.operations.start({ kind, target: plan.name, stages: plan.stages }, async (context) => {
      const undo = new Undo();
      try {
        return await work(context, undo);
      } catch (error) {
        throw await undo.after(error);
      } finally {
        this.#deps.names.release(plan.id);
      }
    });
  }

  async #agentIn(rootfsPath: string): Promise<Pick<Image, 'agentVersion'>> {
    const agentVersion = await readAgentVersion(this.#deps.disks, rootfsPath);
    return agentVersion === undefined ? {} : { agentVersion };
  }

  #provenance(method: Provenance['method'], operationId: string, parameters: Record<string, unknown>): Provenance {
    return { method, bangerVersion: this.#deps.bangerVersion, parameters, steps: [], operationId };
  }
}

function bootSet(request: Omit<RegisterImageRequest, 'rootfsPath'>): BootSet {
  const { kernelPath, initrdPath, modulesPath } = request;
  return {
    kernelPath,
    ...(initrdPath === undefined ? {} : { initrdPath }),
    ...(modulesPath === undefined ? {} : { modulesPath }),
  };
}
