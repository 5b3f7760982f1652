import type { BuildRequest, StepName } from '../../contracts/build.ts';
import type { BootSet, Image, StepRecord } from '../../contracts/image.ts';
import { AppError, toAppError } from '../app-error.ts';
import { listDigest } from '../digest.ts';
import { readAgentVersion } from '../images/agent-version.ts';
import { parseDpkgStatus } from '../images/dpkg-status.ts';
import type { ImageService } from '../images/image-service.ts';
import type { ImageFolders, StagedImage } from '../images/ports.ts';
import type { OperationContext } from '../operations/operation-context.ts';
import { CLEAN_UP_STAGE } from '../operations/operation-outcome.ts';
import { errorsOf, joined, throwAll, Undo } from '../undo.ts';
import { BOOT_STAGES, type MachineRunner } from '../vms/machine-runner.ts';
import type { ChosenEngine, RunningMachine } from '../vms/engine.ts';
import type { Disks, MachineFolders, SshKeys } from '../vms/ports.ts';
import type { VmRecord, VmRepository } from '../vms/repository.ts';
import type { BuildPlan } from './build-plan.ts';
import type { FetchedTree, FetchSpec, Sources } from './ports.ts';
import { sourceErrorOfStep } from './source-error.ts';
import { fetchKey } from './step-plan.ts';
import type { StepRunner } from './step-runner.ts';

/** A build whose every input has been checked and whose every name has been taken. */
export interface BuildJob {
  readonly name: string;
  readonly imageId: string;
  readonly request: BuildRequest;
  readonly source: Image;
  readonly sizeBytes: number;
  readonly boot: BootSet;
  readonly plan: BuildPlan;
  readonly chosen: ChosenEngine;
  /** The transient VM's. */
  readonly record: VmRecord;
  readonly hostPrivateKey: string;
}

export interface BuildRunDependencies {
  readonly images: ImageService;
  readonly imageFolders: ImageFolders;
  readonly machineFolders: MachineFolders;
  readonly vms: VmRepository;
  readonly runner: MachineRunner;
  readonly steps: StepRunner;
  readonly sources: Sources;
  readonly disks: Disks;
  readonly keys: SshKeys;
  readonly now: () => Date;
  readonly bangerVersion: string;
}

const PACKAGE_RECORD = '/var/lib/dpkg/status';

/** Walks one build from the clone to the published image, and leaves nothing else behind. */
export class BuildRun {
  readonly #deps: BuildRunDependencies;

  constructor(deps: BuildRunDependencies) {
    this.#deps = deps;
  }

  /** Every stage in order, as a user sees them. */
  stages(job: BuildJob): string[] {
    return [
      'reserve',
      'clone',
      ...(job.sizeBytes > job.source.sizeBytes ? ['grow'] : []),
      ...(fetchesOf(job).length > 0 ? ['fetch'] : []),
      ...BOOT_STAGES,
      ...job.plan.steps.map((step) => `step:${step.name}`),
      'stop',
      'seal',
      CLEAN_UP_STAGE,
    ];
  }

  /** @throws AppError of the first failure, joined with every failing clean-up. */
  async execute(job: BuildJob, context: OperationContext): Promise<Image> {
    const { imageFolders, vms, runner } = this.#deps;
    // Goes whatever happens, and goes last: the record is what finds the rest again after a crash.
    const always = new Undo();
    always.add(`record of ${job.record.name}`, () => vms.delete(job.record.id));
    const onFailure = new Undo();
    let keptPath: string | undefined;
    try {
      const staged = await context.stage('reserve', async (stage) => {
        stage.note(`${job.record.name}, ${job.record.address}`);
        onFailure.add(`staging folder of ${job.name}`, async () => {
          const keep = job.request.keepFailed && !context.signal.aborted;
          if (keep) keptPath = await imageFolders.keepFailed(job.imageId);
          else await imageFolders.discard(job.imageId);
        });
        always.add(`machine ${job.record.name}`, async () => throwAll(await runner.remove(job.record, undefined)));
        await this.#deps.machineFolders.create(job.record.id);
        return imageFolders.stage(job.imageId);
      });
      await this.#prepareDisk(job, staged, context);
      const fetched = await this.#fetch(job, context);
      const steps = await this.#provision(job, { staged, fetched }, context, onFailure);
      const image = await context.stage('seal', (stage) =>
        this.#seal(job, { staged, steps }, context.id, stage.signal, onFailure),
      );
      await context.stage(CLEAN_UP_STAGE, async () => throwAll(await always.run()));
      return image;
    } catch (error) {
      context.undoing();
      const failures = [...(await onFailure.run()), ...(await always.run())];
      const [first, ...others] = errorsOf(error);
      throw joined(keptPath === undefined ? first : withKeptPath(first, keptPath), [...others, ...failures]);
    }
  }

  async #prepareDisk(job: BuildJob, staged: StagedImage, context: OperationContext): Promise<void> {
    const { runner, disks, keys } = this.#deps;
    await context.stage('clone', async (stage) => {
      const target = { diskPath: staged.rootfsPath, diskBytes: job.source.sizeBytes };
      stage.note(await runner.cloneDisk(job.source, target, stage.signal));
    });
    if (job.sizeBytes > job.source.sizeBytes) {
      await context.stage('grow', (stage) => disks.grow(staged.rootfsPath, job.sizeBytes, stage.signal));
    }
    const { hostPrivateKey } = job;
    await runner.personalise(job.record, { hostPrivateKey, diskPath: staged.rootfsPath }, context.signal);
    await keys.pin(job.record.id, job.record.hostPublicKey);
  }

  /** Everything from outside comes to the host's cache before the VM is started: a source that fails fails early. */
  async #fetch(job: BuildJob, context: OperationContext): Promise<ReadonlyMap<string, FetchedTree>> {
    const fetched = new Map<string, FetchedTree>();
    const fetches = fetchesOf(job);
    if (fetches.length === 0) return fetched;
    await context.stage('fetch', async (stage) => {
      for (const { spec, step } of fetches) {
        const fetching = this.#deps.sources.fetch(spec, (line) => stage.log(line), stage.signal);
        const tree = await fetching.catch((error: unknown) => {
          throw sourceErrorOfStep(error, step);
        });
        fetched.set(fetchKey(spec), tree);
      }
      stage.note(`${fetches.length} sources`);
    });
    return fetched;
  }

  async #provision(
    job: BuildJob,
    inputs: { readonly staged: StagedImage; readonly fetched: ReadonlyMap<string, FetchedTree> },
    context: OperationContext,
    onFailure: Undo,
  ): Promise<StepRecord[]> {
    const { runner, steps } = this.#deps;
    const diskPath = inputs.staged.rootfsPath;
    const startedAt = this.#deps.now().toISOString();
    const booted = await runner.boot(job.record, { ...job.chosen, diskPath, startedAt }, context);
    const { machine } = booted;
    onFailure.add(`VMM of ${job.record.name}`, async () => {
      await machine.kill();
    });
    const alive = endsWith(machine, context.signal);
    await using session = await runner.connect(job.record, machine, alive);
    const records: StepRecord[] = [];
    for (const step of job.plan.steps) {
      const run = {
        step,
        session,
        fetched: inputs.fetched,
        operationId: context.id,
        timeoutMs: job.request.stepTimeoutMs ?? step.timeoutMs * job.chosen.engine.slowness,
      };
      records.push(
        await context.stage(`step:${step.name}`, (stage) =>
          steps.run(run, { log: (line) => stage.log(line), signal: AbortSignal.any([stage.signal, alive]) }),
        ),
      );
    }
    await steps.tidy(session, alive);
    await context.stage('stop', async (stage) => {
      const how = await runner.shutDown(job.record, booted, {
        session,
        signal: stage.signal,
        log: (line) => stage.log(line),
      });
      stage.note(how);
      await runner.release(job.record);
    });
    return records;
  }

  async #seal(
    job: BuildJob,
    made: { readonly staged: StagedImage; readonly steps: StepRecord[] },
    operationId: string,
    signal: AbortSignal,
    onFailure: Undo,
  ): Promise<Image> {
    const { disks, imageFolders, images } = this.#deps;
    const { staged, steps } = made;
    await disks.check(staged.rootfsPath, signal);
    const packages = parseDpkgStatus(new TextDecoder().decode(await disks.readFile(staged.rootfsPath, PACKAGE_RECORD)));
    await imageFolders.copyBootSet(staged, job.boot, signal);
    await imageFolders.writePackages(staged, packages);
    const digest = await disks.digest(staged.rootfsPath, signal);
    const { sizeBytes } = await disks.inspect(staged.rootfsPath);
    const agentVersion = await readAgentVersion(disks, staged.rootfsPath);
    signal.throwIfAborted();
    onFailure.add(`folder of image ${job.name}`, () => imageFolders.remove(job.imageId));
    const files = await imageFolders.publish(staged, job.imageId);
    const { userScript, ...parameters } = job.request;
    const image = images.insert({
      id: job.imageId,
      name: job.name,
      managed: true,
      ...files,
      sizeBytes,
      digest,
      packageCount: packages.length,
      packagesDigest: listDigest(packages),
      ...(agentVersion !== undefined && { agentVersion }),
      createdAt: this.#deps.now().toISOString(),
      provenance: {
        method: 'build',
        bangerVersion: this.#deps.bangerVersion,
        source: { name: job.source.name, digest: job.source.digest },
        parameters: { ...parameters, userScript: userScript !== undefined },
        steps,
        requestedPackagesDigest: listDigest(job.plan.packages),
        operationId,
      },
    });
    // From here on the image is there for everybody; nothing may take it away again.
    onFailure.clear();
    return image;
  }
}

/** Each source once, however many steps need it, with a step that does. */
function fetchesOf(job: BuildJob): readonly { readonly spec: FetchSpec; readonly step: StepName }[] {
  const fetches = job.plan.steps.flatMap(({ name, fetches }) => fetches.map(({ spec }) => ({ spec, step: name })));
  return [...new Map(fetches.map((fetch) => [fetchKey(fetch.spec), fetch])).values()];
}

/** Aborts when the work is cancelled, and when the VMM ends under it: a dead guest closes no connection. */
function endsWith(machine: RunningMachine, signal: AbortSignal): AbortSignal {
  const gone = new AbortController();
  void machine.exited.then((exit) =>
    gone.abort(
      new AppError('GUEST_UNREACHABLE', `The build VM ended (${exit.reason}: ${exit.detail}) while it was in use.`),
    ),
  );
  return AbortSignal.any([signal, gone.signal]);
}

function withKeptPath(error: unknown, keptPath: string): AppError {
  const failure = toAppError(error);
  return new AppError(failure.code, failure.message, {
    hint: `The disk is kept in ${keptPath}; remove it when you have looked. ${failure.hint}`,
    details: { ...failure.details, keptPath },
    cause: error,
  });
}
