/** What a user sees while work that has failed, or was cancelled, undoes what it made. */
import { describe, expect, test } from 'vitest';
import type { Operation, OperationKind } from '../../../../src/contracts/operation.ts';
import { AppError } from '../../../../src/core/app-error.ts';
import type { OperationContext } from '../../../../src/core/operations/operation-context.ts';
import { Undo } from '../../../../src/core/undo.ts';
import { collect } from '../../../support/collect.ts';
import { brief, makeOperationWorld } from '../../../support/operation-world.ts';

const PLAN = { kind: 'image.build', target: 'dev', stages: ['boot', 'seal', 'clean up'] } as const;
const FAILURE = new AppError('BOOT_EXITED', 'it ended');
const UNDOING_MS = 1500;

const failing = ({ stage }: OperationContext): Promise<never> => stage('boot', () => Promise.reject(FAILURE));

function cleanUpOf({ stages }: Operation): Operation['stages'][number] | undefined {
  return stages.find(({ name }) => name === 'clean up');
}

/** Work that fails and then undoes, which takes a moment and may fail in part. */
function undoing(
  world: ReturnType<typeof makeOperationWorld>,
  work: (context: OperationContext) => Promise<unknown>,
  stuck: readonly string[] = [],
) {
  return async (context: OperationContext): Promise<unknown> => {
    const undo = new Undo();
    undo.add('nothing', () => world.clock.tick(UNDOING_MS));
    for (const what of stuck) undo.add(what, () => Promise.reject(new Error('busy')));
    try {
      return await work(context);
    } catch (error) {
      context.undoing();
      throw await undo.after(error);
    }
  };
}

describe('the stage `clean up`', () => {
  test('runs from the failure to the end of the work, before what was not reached is called skipped', async () => {
    const world = makeOperationWorld();
    const { id } = world.service.start(PLAN, undoing(world, failing));
    const ended = await world.service.wait(id);
    expect(cleanUpOf(ended)).toEqual({
      name: 'clean up',
      state: 'succeeded',
      startedAt: '2026-01-01T00:00:00.000Z',
      durationMs: UNDOING_MS,
    });
    const events = await collect(world.service.events(id, 0, AbortSignal.timeout(5000)));
    expect(events.map(({ event }) => brief(event)).slice(3)).toEqual([
      'stage boot running',
      'stage boot failed',
      'stage clean up running',
      'stage clean up succeeded',
      'stage seal skipped',
      'end failed',
    ]);
  });

  test('fails where something could not be removed, and names all of it', async () => {
    const world = makeOperationWorld();
    const { id } = world.service.start(PLAN, undoing(world, failing, ['TAP bgr-1', 'folder x']));
    const ended = await world.service.wait(id);
    expect(cleanUpOf(ended)).toMatchObject({
      state: 'failed',
      durationMs: UNDOING_MS,
      note: 'Could not remove folder x: busy; Could not remove TAP bgr-1: busy',
    });
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'BOOT_EXITED' } });
  });

  test('runs after a cancel too, and is not called cancelled', async () => {
    const world = makeOperationWorld();
    const begun = Promise.withResolvers<void>();
    const work = undoing(world, ({ stage, signal }) =>
      stage('boot', async () => {
        begun.resolve();
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve, { once: true });
        });
        throw signal.reason;
      }),
    );
    const { id } = world.service.start(PLAN, work);
    await begun.promise;
    world.service.cancel(id);
    const ended = await world.service.wait(id);
    expect(ended).toMatchObject({ state: 'cancelled', stages: [{ state: 'cancelled' }, { state: 'skipped' }, {}] });
    expect(cleanUpOf(ended)).toMatchObject({ state: 'succeeded', durationMs: UNDOING_MS });
  });

  test('begins between two stages where the work says so', async () => {
    const world = makeOperationWorld();
    const { id } = world.service.start(
      PLAN,
      undoing(world, () => Promise.reject(FAILURE)),
    );
    expect(cleanUpOf(await world.service.wait(id))).toMatchObject({ state: 'succeeded', durationMs: UNDOING_MS });
  });

  test('takes no write of its own before what is undone has had its chance: the disk may be full', async () => {
    const world = makeOperationWorld();
    const recorded: unknown[] = [];
    const { id } = world.service.start(PLAN, async (context) => {
      await failing(context).catch((error: unknown) => {
        recorded.push(
          cleanUpOf(world.repository.find(id) as Operation)?.state,
          cleanUpOf(world.service.get(id))?.state,
        );
        throw error;
      });
    });
    await world.service.wait(id);
    expect(recorded).toEqual(['pending', 'running']);
    expect(cleanUpOf(world.repository.find(id) as Operation)).toMatchObject({ state: 'succeeded' });
  });

  test.each<[OperationKind, boolean]>([
    ['image.bootstrap', true],
    ['image.promote', true],
    ['vm.create', true],
    ['vm.start', true],
    ['image.register', false],
    ['image.delete', false],
    ['vm.stop', false],
    ['vm.delete', false],
  ])('of %s that was not planned: %s', async (kind, isSeen) => {
    const { service } = makeOperationWorld();
    const { id } = service.start({ kind, target: 'x', stages: ['boot'] }, failing);
    const { stages } = await service.wait(id);
    expect(stages.map(({ name }) => name)).toEqual(isSeen ? ['boot', 'clean up'] : ['boot']);
  });

  test('is not seen where nothing failed', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start({ kind: 'vm.start', target: 'x', stages: ['boot'] }, ({ stage }) =>
      stage('boot', () => Promise.resolve()),
    );
    expect((await service.wait(id)).stages).toHaveLength(1);
  });

  test('after success: what fails in it is its own failure, though a cancel has come', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, async ({ stage }) => {
      await stage('clean up', () => {
        service.cancel(id);
        return Promise.reject(new AppError('CLEANUP_FAILED', 'TAP bgr-1 is busy'));
      });
    });
    const ended = await service.wait(id);
    expect(cleanUpOf(ended)).toMatchObject({ state: 'failed' });
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'CLEANUP_FAILED' } });
  });
});

test('a cancel that comes while a failure is being undone does not hide an error made from it', async () => {
  const { service } = makeOperationWorld();
  const { id } = service.start(PLAN, async (context) => {
    try {
      await failing(context);
    } catch (error) {
      service.cancel(id);
      throw new AppError('BOOT_EXITED', 'it ended', { hint: 'The disk is kept.', cause: error });
    }
  });
  expect(await service.wait(id)).toMatchObject({ state: 'failed', error: { hint: 'The disk is kept.' } });
});
