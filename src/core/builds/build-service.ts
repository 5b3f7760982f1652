import type { BuildRequest } from '../../contracts/build.ts';
import type { Image } from '../../contracts/image.ts';
import type { Operation } from '../../contracts/operation.ts';
import type { ImageService } from '../images/image-service.ts';
import type { KernelInspector } from '../images/ports.ts';
import { newId } from '../ids.ts';
import { planRecord, resolveSpec, type VmDefaults } from '../vms/machine-plan.ts';
import type { Engines } from '../vms/engine.ts';
import type { Disks, MachineFolders, SshKeys } from '../vms/ports.ts';
import type { NameReservations, VmRecord, VmRepository } from '../vms/repository.ts';
import type { OperationService } from '../operations/operation-service.ts';
import { resultBootSet, resultSizeBytes } from './build-checks.ts';
import { type BuildPlan, planBuild } from './build-plan.ts';
import type { BuildJob, BuildRun } from './build-run.ts';
import type { BuildConfig } from './steps/step-context.ts';

export interface BuildServiceDependencies {
  readonly images: ImageService;
  readonly kernels: KernelInspector;
  readonly names: NameReservations;
  readonly vms: VmRepository;
  readonly operations: OperationService;
  readonly engines: Engines;
  readonly disks: Disks;
  readonly machineFolders: MachineFolders;
  readonly keys: SshKeys;
  readonly run: BuildRun;
  readonly config: BuildConfig;
  readonly defaults: VmDefaults;
  readonly cidr: string;
  readonly now: () => Date;
}

/** Room that a build needs beside the copy of its source, `bytes`: packages, caches, the boot set. */
const BUILD_MARGIN_BYTES = 512 * 2 ** 20;

/** Derives new images from registered ones: checks and reserves; `BuildRun` does the work. */
export class BuildService {
  readonly #deps: BuildServiceDependencies;

  constructor(deps: BuildServiceDependencies) {
    this.#deps = deps;
  }

  /**
   * Checks every input, takes the name and an address, and starts the build as an operation.
   *
   * @throws AppError of any input that cannot work; nothing has been made then.
   */
  async start(name: string, request: BuildRequest): Promise<Operation> {
    const { images, operations, names, vms } = this.#deps;
    const held = await images.hold(request.from, `build of ${name}`);
    const imageId = newId('img');
    let record: VmRecord | undefined;
    const giveBack = (): void => {
      held.release();
      names.release(imageId);
    };
    try {
      const { image: source } = held;
      const plan = await this.#plan(request);
      const sizeBytes = resultSizeBytes(request, source);
      const boot = resultBootSet(request, source);
      await images.assertBootSet(boot);
      const spec = this.#machineSpec(source);
      const chosen = await this.#deps.engines.choose({ ...spec, kernelPath: source.boot.kernelPath });
      await this.#assertSpace(source, name);
      const hostKey = await this.#deps.keys.generateHostKey();
      // Two builds at once never clash: name, address, MAC and TAP are taken here or not at all.
      names.reserveImageName(name, imageId);
      record = this.#reserveMachine(source, {
        spec,
        hostPublicKey: hostKey.publicKey,
        engine: chosen.engine.name,
      });
      const job: BuildJob = {
        name,
        imageId,
        request,
        source,
        sizeBytes,
        boot,
        plan,
        chosen,
        record,
        hostPrivateKey: hostKey.privateKey,
      };
      return operations.start({ kind: 'image.build', target: name, stages: this.#deps.run.stages(job) }, (context) =>
        this.#deps.run.execute(job, context).finally(giveBack),
      );
    } catch (error) {
      if (record) vms.delete(record.id);
      giveBack();
      throw error;
    }
  }

  async #plan(request: BuildRequest): Promise<BuildPlan> {
    const { modulesPath } = request;
    return planBuild(request, this.#deps.config, {
      authorizedKey: await this.#deps.keys.clientPublicKey(),
      modulesVersion: modulesPath === undefined ? undefined : await this.#deps.kernels.inspectModules(modulesPath),
    });
  }

  async #assertSpace(source: Image, name: string): Promise<void> {
    const allocatedBytes = await this.#deps.disks.allocatedBytes(source.rootfsPath);
    await this.#deps.images.assertSpace(allocatedBytes + BUILD_MARGIN_BYTES, `building ${name}`);
  }

  /** A build reaches the outside always: it installs packages. */
  #machineSpec(source: Image): ReturnType<typeof resolveSpec> {
    return resolveSpec({ egress: 'open', peers: [], start: true, ephemeral: true, leased: false }, source, {
      ...this.#deps.defaults,
      diskBytes: undefined,
    });
  }

  #reserveMachine(
    source: Image,
    facts: Pick<VmRecord, 'hostPublicKey' | 'engine'> & { readonly spec: ReturnType<typeof resolveSpec> },
  ): VmRecord {
    const { vms, machineFolders, cidr, now } = this.#deps;
    const id = newId('vm');
    machineFolders.locate(id);
    const name = id.replace(/^vm-/, 'build-');
    const createdAt = now().toISOString();
    return vms.reserve((taken) =>
      planRecord({ id, name, image: source, transient: true, createdAt, cidr, ...facts }, taken.addresses),
    );
  }
}
