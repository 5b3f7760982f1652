import { describe, expect, test } from 'vitest';
import { operationSchema } from '../../../../src/contracts/operation.ts';
import { AppError } from '../../../../src/core/app-error.ts';
import type { OperationContext } from '../../../../src/core/operations/operation-context.ts';
import { Undo } from '../../../../src/core/undo.ts';
import { makeOperationWorld } from '../../../support/operation-world.ts';

const PLAN = { kind: 'image.build', target: 'dev', stages: ['clone', 'boot', 'seal'] } as const;

/** Settles when the signal is aborted, by throwing its reason: what every wait in real work does. */
async function untilCancelled(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  await new Promise((resolve) => {
    signal.addEventListener('abort', resolve, { once: true });
  });
  throw signal.reason;
}

const stagesOf = ({ stages }: { stages: readonly { name: string; state: string }[] }): string[] =>
  stages.map(({ name, state }) => `${name} ${state}`);

describe('start', () => {
  test('returns at once, before the work has begun, with every stage pending', async () => {
    const { service, repository } = makeOperationWorld();
    let begun = false;
    const operation = service.start(PLAN, () => {
      begun = true;
      return Promise.resolve();
    });
    expect(begun).toBe(false);
    expect(operation).toEqual({
      id: expect.stringMatching(/^op-[0-9a-z]{10}$/),
      kind: 'image.build',
      target: 'dev',
      state: 'running',
      createdAt: '2026-01-01T00:00:00.000Z',
      stages: ['clone', 'boot', 'seal'].map((name) => ({ name, state: 'pending' })),
    });
    expect(repository.find(operation.id)).toEqual(operation);
    expect(service.runningCount()).toBe(1);
    await service.wait(operation.id);
    expect(begun).toBe(true);
    expect(service.runningCount()).toBe(0);
  });

  test('work that throws before its first wait is a failed operation, not a failed start', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, () => {
      throw new AppError('DISK_FULL', 'no space');
    });
    expect(await service.wait(id)).toMatchObject({ state: 'failed', error: { code: 'DISK_FULL' } });
  });

  test('what cannot be recorded does not run', () => {
    const { service, repository } = makeOperationWorld();
    repository.failure = new AppError('DISK_FULL', 'no space');
    let begun = false;
    const work = (): Promise<void> => {
      begun = true;
      return Promise.resolve();
    };
    expect(() => service.start(PLAN, work)).toThrow('no space');
    expect(service.list()).toEqual([]);
    expect(service.runningCount()).toBe(0);
    expect(begun).toBe(false);
  });
});

describe('success', () => {
  test('keeps result, times and notes; stages that were not needed are skipped, others may be added', async () => {
    const { service, clock, repository } = makeOperationWorld();
    const { id } = service.start(PLAN, async ({ stage, skip }) => {
      clock.tick(5);
      await stage('clone', async ({ note }) => {
        clock.tick(1234);
        note('sparse copy');
        note('reflink');
      });
      skip('boot', 'not asked for');
      await stage('extra', () => Promise.resolve());
      return { name: 'dev' };
    });
    const ended = await service.wait(id);
    expect(ended).toMatchObject({ state: 'succeeded', result: { name: 'dev' }, endedAt: '2026-01-01T00:00:01.239Z' });
    expect(ended.stages).toEqual([
      { name: 'clone', state: 'succeeded', startedAt: '2026-01-01T00:00:00.005Z', durationMs: 1234, note: 'reflink' },
      { name: 'boot', state: 'skipped', note: 'not asked for' },
      { name: 'seal', state: 'skipped' },
      { name: 'extra', state: 'succeeded', startedAt: '2026-01-01T00:00:01.239Z', durationMs: 0 },
    ]);
    expect(operationSchema.parse(ended)).toEqual(ended);
    expect(repository.find(id)).toEqual(ended);
  });

  test('a stage gives back what its work gave', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, ({ stage }) => stage('clone', () => Promise.resolve(42)));
    expect(await service.wait(id)).toMatchObject({ state: 'succeeded', result: 42 });
  });

  test('stages may run beside each other, but each only once', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, async ({ stage }) => {
      await Promise.all([stage('clone', () => Promise.resolve()), stage('boot', () => Promise.resolve())]);
      await stage('clone', () => Promise.resolve());
    });
    const ended = await service.wait(id);
    expect(ended).toMatchObject({ state: 'failed', error: { code: 'INTERNAL' } });
    expect(ended.error?.message).toContain('"clone" was begun twice');
    expect(stagesOf(ended)).toEqual(['clone succeeded', 'boot succeeded', 'seal skipped']);
  });
});

describe('failure', () => {
  test('names the stage, carries code, hint, details and the operation’s id, and skips the rest', async () => {
    const { service, ends, faults } = makeOperationWorld();
    const cause = new AppError('BOOT_TIMEOUT', 'it hung', { details: { console: ['last words'] } });
    const { id } = service.start(PLAN, ({ stage }) => stage('clone', () => Promise.reject(cause)));
    const ended = await service.wait(id);
    expect(ended.state).toBe('failed');
    expect(ended.error).toEqual({
      code: 'BOOT_TIMEOUT',
      message: 'it hung',
      hint: cause.hint,
      details: { console: ['last words'] },
      operationId: id,
    });
    expect(stagesOf(ended)).toEqual(['clone failed', 'boot skipped', 'seal skipped', 'clean up succeeded']);
    expect(ends).toEqual([{ operation: ended, error: cause }]);
    expect(faults).toEqual([]);
  });

  test('what could not be cleaned up is told beside the first error', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, async ({ stage }) => {
      const undo = new Undo();
      undo.add('TAP bngr-1', () => Promise.reject(new Error('busy')));
      try {
        await stage('boot', () => Promise.reject(new AppError('BOOT_EXITED', 'it ended')));
      } catch (error) {
        throw await undo.after(error);
      }
    });
    expect((await service.wait(id)).error).toMatchObject({
      code: 'BOOT_EXITED',
      details: { alsoFailed: ['Could not remove TAP bngr-1: busy'] },
    });
  });

  test('a fault of ours is INTERNAL, and told with its stack', async () => {
    const { service, faults } = makeOperationWorld();
    const bug = new TypeError('x is not a function');
    const { id } = service.start(PLAN, () => Promise.reject(bug));
    expect((await service.wait(id)).error).toMatchObject({ code: 'INTERNAL', operationId: id });
    expect(faults).toEqual([bug]);
  });
});

describe('cancel', () => {
  test('is `cancelled` only once the work has undone what it made', async () => {
    const { service } = makeOperationWorld();
    const { promise: undoing, resolve: beginUndo } = Promise.withResolvers<void>();
    const { promise: undone, resolve: finishUndo } = Promise.withResolvers<void>();
    const { id } = service.start(PLAN, async ({ stage, signal }) => {
      try {
        await stage('clone', () => Promise.resolve());
        await stage('boot', () => untilCancelled(signal));
      } finally {
        beginUndo();
        await undone;
      }
    });
    await Promise.resolve();
    expect(service.cancel(id)).toMatchObject({ state: 'running' });
    await undoing;
    expect(service.get(id).state).toBe('running');
    expect(service.cancel(id)).toMatchObject({ state: 'running' });
    finishUndo();
    const ended = await service.wait(id);
    expect(ended).toMatchObject({ state: 'cancelled', error: { code: 'OPERATION_CANCELLED', operationId: id } });
    expect(stagesOf(ended)).toEqual(['clone succeeded', 'boot cancelled', 'seal skipped', 'clean up succeeded']);
  });

  test('an abort that comes back as another error is still a cancel; what is left behind is told', async () => {
    const { service } = makeOperationWorld();
    const work = async ({ stage, signal }: OperationContext): Promise<void> => {
      const undo = new Undo();
      undo.add('staging folder', () => Promise.reject(new Error('EBUSY')));
      try {
        await stage('clone', () =>
          untilCancelled(signal).catch(() => {
            throw new AppError('HOST_TOOL_FAILED', 'cp was cancelled');
          }),
        );
      } catch (error) {
        throw await undo.after(error);
      }
    };
    const { id } = service.start(PLAN, work);
    await Promise.resolve();
    service.cancel(id);
    expect(await service.wait(id)).toMatchObject({
      state: 'cancelled',
      error: {
        code: 'OPERATION_CANCELLED',
        details: { alsoFailed: ['Could not remove staging folder: EBUSY'] },
      },
    });
  });

  test('one that comes while a failure is being undone does not hide the failure', async () => {
    const { service } = makeOperationWorld();
    const { promise: undone, resolve: finishUndo } = Promise.withResolvers<void>();
    const { promise: undoing, resolve: beginUndo } = Promise.withResolvers<void>();
    const { id } = service.start(PLAN, async ({ stage }) => {
      try {
        await stage('boot', () => Promise.reject(new AppError('BOOT_EXITED', 'it ended')));
      } finally {
        beginUndo();
        await undone;
      }
    });
    await undoing;
    service.cancel(id);
    finishUndo();
    expect(await service.wait(id)).toMatchObject({ state: 'failed', error: { code: 'BOOT_EXITED' } });
  });

  test('one that comes too late leaves the success', async () => {
    const { service } = makeOperationWorld();
    const { promise, resolve } = Promise.withResolvers<void>();
    const { id } = service.start(PLAN, () => promise);
    service.cancel(id);
    resolve();
    expect(await service.wait(id)).toMatchObject({ state: 'succeeded' });
  });

  test('of one that has ended, or was never there, is refused', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, () => Promise.resolve());
    await service.wait(id);
    expect(() => service.cancel(id)).toThrow(expect.objectContaining({ code: 'OPERATION_ENDED' }));
    expect(() => service.cancel('op-none')).toThrow(expect.objectContaining({ code: 'OPERATION_NOT_FOUND' }));
  });
});

describe('what is asked about operations', () => {
  test('lists them newest first, those that run as they are now', async () => {
    const { service, repository } = makeOperationWorld();
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = service.start(PLAN, () => Promise.resolve());
    await service.wait(first.id);
    const second = service.start(PLAN, ({ stage }) => stage('clone', () => promise));
    await Promise.resolve();
    repository.records.set(second.id, second);
    expect(service.list(5).map(({ id }) => id)).toEqual([second.id, first.id]);
    expect(service.list(5)[0]?.stages[0]).toMatchObject({ state: 'running' });
    resolve();
    await service.wait(second.id);
  });

  test('none that is unknown', async () => {
    const { service } = makeOperationWorld();
    const unknown = expect.objectContaining({ code: 'OPERATION_NOT_FOUND', details: { id: 'op-none' } });
    expect(() => service.get('op-none')).toThrow(unknown);
    expect(() => service.events('op-none', 0, AbortSignal.abort())).toThrow(unknown);
    await expect(service.wait('op-none')).rejects.toEqual(unknown);
    await expect(service.log('op-none')).rejects.toEqual(unknown);
  });

  test('a wait can be given up without touching the operation', async () => {
    const { service } = makeOperationWorld();
    const { promise, resolve } = Promise.withResolvers<void>();
    const { id } = service.start(PLAN, () => promise);
    const reason = new AppError('DAEMON_STOPPING', 'stopping');
    await expect(service.wait(id, AbortSignal.abort(reason))).rejects.toBe(reason);
    const later = new AbortController();
    const waiting = service.wait(id, later.signal);
    later.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(service.get(id).state).toBe('running');
    resolve();
    expect(await service.wait(id)).toMatchObject({ state: 'succeeded' });
  });
});

describe('a store that fails', () => {
  test('does not fail the work; the end is told from memory', async () => {
    const { service, repository, journal, faults } = makeOperationWorld();
    const { id } = service.start(PLAN, async ({ stage }) => {
      repository.failure = new AppError('DISK_FULL', 'no space for the record');
      journal.failure = new AppError('DISK_FULL', 'no space for the journal');
      await stage('clone', () => Promise.resolve());
    });
    expect(await service.wait(id)).toMatchObject({ state: 'succeeded' });
    expect(repository.find(id)).toMatchObject({ state: 'running' });
    expect(service.get(id)).toMatchObject({ state: 'succeeded' });
    expect(service.runningCount()).toBe(0);
    expect(() => service.cancel(id)).toThrow(expect.objectContaining({ code: 'OPERATION_ENDED' }));
    expect(faults.map(String)).toContainEqual(expect.stringContaining('no space for the journal'));
  });
});

describe('restart', () => {
  test('what was left running is interrupted, with an end in its journal', async () => {
    const { service, restart, clock, journal, repository } = makeOperationWorld();
    const { id } = service.start(PLAN, async ({ stage }) => {
      await stage('clone', () => Promise.resolve());
      await stage('boot', async ({ log }) => {
        log('booting');
        await new Promise(() => undefined);
      });
    });
    await expect.poll(() => journal.entries.get(id)?.length).toBe(7);
    clock.tick(60_000);
    const after = restart();
    const [interrupted, ...others] = await after.interruptLeftOver();
    expect(others).toEqual([]);
    expect(interrupted).toMatchObject({
      id,
      state: 'interrupted',
      endedAt: '2026-01-01T00:01:00.000Z',
      error: { code: 'OPERATION_INTERRUPTED', operationId: id },
    });
    expect(stagesOf(after.get(id))).toEqual(['clone succeeded', 'boot failed', 'seal skipped']);
    expect(repository.find(id)).toEqual(after.get(id));
    expect(journal.entries.get(id)?.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(journal.entries.get(id)?.at(-1)?.event).toMatchObject({ type: 'end', operation: { state: 'interrupted' } });
    expect(await after.interruptLeftOver()).toEqual([]);
  });

  test('a journal that cannot be read keeps nobody from starting', async () => {
    const { service, restart, journal, faults } = makeOperationWorld();
    const { id } = service.start(PLAN, () => new Promise(() => undefined));
    const broken = new AppError('STORE_FAILED', 'EIO');
    journal.readFailure = broken;
    const [interrupted] = await restart().interruptLeftOver();
    expect(interrupted).toMatchObject({ id, state: 'interrupted' });
    expect(faults).toContain(broken);
  });

  test('the oldest are forgotten with their journals, and journals without a record', async () => {
    const { service, journal, repository } = makeOperationWorld();
    const { promise, resolve } = Promise.withResolvers<void>();
    const running = service.start(PLAN, () => promise);
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) {
      const { id } = service.start(PLAN, () => Promise.resolve());
      await service.wait(id);
      ids.push(id);
    }
    journal.append('op-stray', { sequence: 1, event: { type: 'end', at: '', operation: running } });
    await service.prune(2);
    expect(service.list().map(({ id }) => id)).toEqual([ids[4], ids[3], running.id]);
    expect([...journal.entries.keys()].toSorted()).toEqual([running.id, ids[3], ids[4]].toSorted());
    expect(repository.records.size).toBe(3);
    resolve();
    await service.wait(running.id);
  });
});

describe('shutdown', () => {
  test('cancels everything, waits for it, and begins nothing new', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, ({ stage, signal }) => stage('boot', () => untilCancelled(signal)));
    await Promise.resolve();
    expect(await service.shutdown(new AbortController().signal)).toEqual([]);
    expect(service.get(id)).toMatchObject({
      state: 'cancelled',
      error: { message: expect.stringContaining('stopping') },
    });
    expect(() => service.start(PLAN, () => Promise.resolve())).toThrow(
      expect.objectContaining({ code: 'DAEMON_STOPPING' }),
    );
  });

  test('does not wait for ever: what would not end is named', async () => {
    const { service } = makeOperationWorld();
    const { id } = service.start(PLAN, () => new Promise(() => undefined));
    const deadline = new AbortController();
    const stopped = service.shutdown(deadline.signal);
    deadline.abort();
    expect(await stopped).toEqual([id]);
  });
});
