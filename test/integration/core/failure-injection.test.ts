/** Every call that a build or a VM's verb makes is made to fail once: nothing may be left, and the name is free again. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bootstrapRequestSchema, buildRequestSchema } from '../../../src/contracts/build.ts';
import type { Operation } from '../../../src/contracts/operation.ts';
import { createVmRequestSchema } from '../../../src/contracts/vm.ts';
import { type AppError, toAppError } from '../../../src/core/app-error.ts';
import { FaultPoints, InjectedFault } from '../../fakes/world/fault-points.ts';
import { makeWorld, sourceImage, type World } from '../../fakes/world/world.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'banger-test-'));
});

afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** A job starts an operation from a world that holds one image, and one stopped VM where it says so. */
interface Job {
  readonly name: string;
  readonly withVm?: boolean;
  /** Undoes something from its first moment on, in a stage or between two. */
  readonly alwaysUndoes?: boolean;
  readonly start: (world: World) => Promise<Operation> | Operation;
}

const REQUEST = { from: 'debian', preset: 'minimal', packages: ['jq'], sizeBytes: 4 * 2 ** 30 };
const JOBS: readonly Job[] = [
  {
    name: 'image build',
    alwaysUndoes: true,
    start: (world) => world.builds.start('dev', buildRequestSchema.parse(REQUEST)),
  },
  {
    name: 'vm create',
    alwaysUndoes: true,
    start: (world) => world.vms.create(createVmRequestSchema.parse({ name: 'box' })),
  },
  { name: 'vm start', withVm: true, start: (world) => world.vms.start('box') },
  { name: 'image bootstrap', start: (world) => world.images.bootstrap('base', bootstrapRequestSchema.parse({})) },
];

/** What a user sees of the undoing: the stage ran, whatever had failed and though a cancel had come. */
function expectCleanUpSeen(job: Job, { stages }: Operation, where: string): void {
  const didFail = stages.some(({ state }) => state === 'failed' || state === 'cancelled');
  const cleanUp = stages.find(({ name }) => name === 'clean up');
  if (didFail || job.alwaysUndoes) {
    expect(cleanUp, where).toMatchObject({ state: 'succeeded', durationMs: expect.any(Number) });
  } else expect(cleanUp, where).toBeUndefined();
}

async function prepared(job: Job, faults: FaultPoints): Promise<World> {
  // Made by a world of its own, whose calls are not counted.
  const before = makeWorld(dir);
  if (before.images.list().length === 0) before.images.insert(sourceImage());
  if (job.withVm) {
    const request = createVmRequestSchema.parse({ name: 'box', start: false });
    await before.operations.wait((await before.vms.create(request)).id);
  }
  before.close();
  const world = makeWorld(dir, faults);
  if (job.withVm) {
    const { id } = faults.uncounted(() => world.vms.get('box'));
    world.host.machineFolders.add(id);
    world.host.pinnedKeys.add(id);
  }
  return world;
}

function freshDir(): void {
  rmSync(dir, { recursive: true, force: true });
  dir = mkdtempSync(join(tmpdir(), 'banger-test-'));
}

async function countCalls(job: Job): Promise<readonly string[]> {
  const faults = new FaultPoints();
  const world = await prepared(job, faults);
  const operation = await world.operations.wait((await job.start(world)).id);
  expect(operation.error).toBeUndefined();
  expect(operation.state).toBe('succeeded');
  const names = [...faults.names];
  world.close();
  freshDir();
  return names;
}

describe.each(JOBS)('$name', (job) => {
  test('leaves the world as it was, whichever call fails', async () => {
    const calls = await countCalls(job);
    expect(calls.length).toBeGreaterThan(job.alwaysUndoes ? 15 : 8);
    for (const [index, call] of calls.entries()) {
      const faults = new FaultPoints(index + 1);
      const world = await prepared(job, faults);
      const before = world.snapshot();
      let failure: unknown;
      try {
        const operation = await world.operations.wait((await job.start(world)).id);
        failure = operation.error;
        expectCleanUpSeen(job, operation, `call ${index + 1}, ${call}`);
      } catch (error) {
        failure = error;
      }
      // A call that only reads on the side (a name for the record) may be made again; one that was reached must show.
      expect(failure, `call ${index + 1}, ${call}, failed unseen`).toBeDefined();
      if (!(failure instanceof InjectedFault)) expect(toAppError(failure).message, call).not.toBe('');
      expect(world.snapshot(), `after call ${index + 1}, ${call}`).toEqual(before);
      world.close();
      freshDir();
    }
  });

  test('leaves the world as it was, at whichever call it is cancelled', async () => {
    const calls = await countCalls(job);
    let cancelled = 0;
    for (const [index, call] of calls.entries()) {
      let id: string | undefined;
      const faults = new FaultPoints(index + 1, () => {
        if (id !== undefined) world.operations.cancel(id);
      });
      const world = await prepared(job, faults);
      const before = world.snapshot();
      id = (await job.start(world)).id;
      const operation = await world.operations.wait(id);
      // Calls before the operation began, and the last ones after everything was done, cannot be cancelled any more.
      if (operation.state === 'cancelled') {
        cancelled += 1;
        expect(operation.error?.code).toBe('OPERATION_CANCELLED');
        expectCleanUpSeen(job, operation, `a cancel at call ${index + 1}, ${call}`);
        expect(world.snapshot(), `after a cancel at call ${index + 1}, ${call}`).toEqual(before);
      } else {
        expect(operation.state, `cancelled at call ${index + 1}, ${call}: ${operation.error?.message}`).toBe(
          'succeeded',
        );
      }
      world.close();
      freshDir();
    }
    expect(cancelled).toBeGreaterThan(0);
  });
});

test('two builds of one name at once: one wins, the other is told at once', async () => {
  const world = await prepared(JOBS[0] as Job, new FaultPoints());
  const request = buildRequestSchema.parse(REQUEST);
  const outcomes = await Promise.allSettled([world.builds.start('dev', request), world.builds.start('dev', request)]);
  const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  const losers = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(winners).toHaveLength(1);
  expect(losers.map((outcome) => (outcome.reason as AppError).code)).toEqual(['NAME_TAKEN']);
  await world.operations.wait(winners[0]?.value.id ?? '');
  expect(world.images.list().map((image) => image.name)).toEqual(['debian', 'dev']);
  world.close();
});

test('two builds of different names at once have different addresses, and both succeed', async () => {
  const world = await prepared(JOBS[0] as Job, new FaultPoints());
  const request = buildRequestSchema.parse(REQUEST);
  const operations = await Promise.all([world.builds.start('one', request), world.builds.start('two', request)]);
  const ended = await Promise.all(operations.map((operation) => world.operations.wait(operation.id)));
  expect(ended.map((operation) => operation.state)).toEqual(['succeeded', 'succeeded']);
  const addresses = ended.map((operation) => operation.stages.find((stage) => stage.name === 'attach')?.note);
  expect(new Set(addresses).size).toBe(2);
  world.close();
});
