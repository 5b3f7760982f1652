import { describe, expect, test } from 'vitest';
import { AppError } from '../../../src/core/app-error.ts';
import { errorsOf, Undo } from '../../../src/core/undo.ts';

function stackOf(log: string[], failing: readonly string[] = []): Undo {
  const undo = new Undo();
  for (const what of ['first', 'second', 'third']) {
    undo.add(what, async () => {
      await Promise.resolve();
      log.push(what);
      if (failing.includes(what)) throw new TypeError(`${what} is stuck`);
    });
  }
  return undo;
}

describe('Undo', () => {
  test('releases in reverse, each after the one before has ended', async () => {
    const log: string[] = [];
    expect(await stackOf(log).run()).toEqual([]);
    expect(log).toEqual(['third', 'second', 'first']);
  });

  test('a release that fails keeps no other from running, and every failure is told', async () => {
    const log: string[] = [];
    const failures = await stackOf(log, ['third', 'first']).run();
    expect(log).toEqual(['third', 'second', 'first']);
    expect(failures.map(({ code, message }) => [code, message])).toEqual([
      ['CLEANUP_FAILED', 'Could not remove third: third is stuck'],
      ['CLEANUP_FAILED', 'Could not remove first: first is stuck'],
    ]);
    expect(failures[0]?.cause).toBeInstanceOf(TypeError);
  });

  test('one that fails at once, without a promise, is no different', async () => {
    const undo = new Undo();
    const log: string[] = [];
    undo.add('kept last', () => void log.push('ran'));
    undo.add('thrower', () => {
      throw new AppError('HOST_TOOL_FAILED', 'nft said no');
    });
    expect(await undo.run()).toHaveLength(1);
    expect(log).toEqual(['ran']);
  });

  test('what was released is not released again', async () => {
    const log: string[] = [];
    const undo = stackOf(log);
    await undo.run();
    await undo.run();
    expect(log).toHaveLength(3);
  });

  test('success clears: what was made stays', async () => {
    const log: string[] = [];
    const undo = stackOf(log);
    undo.clear();
    expect(await undo.run()).toEqual([]);
    expect(log).toEqual([]);
  });

  test('what is added while releasing is released too', async () => {
    const log: string[] = [];
    const undo = new Undo();
    undo.add('outer', () => undo.add('inner', () => void log.push('inner')));
    await undo.run();
    expect(log).toEqual(['inner']);
  });

  test('after an error: the error itself where everything could be released', async () => {
    const error = new AppError('BOOT_TIMEOUT', 'no answer');
    expect(await stackOf([]).after(error)).toBe(error);
  });

  test('after an error: joined with what could not be released, the error first', async () => {
    const error = new AppError('BOOT_TIMEOUT', 'no answer');
    const joined = await stackOf([], ['second']).after(error);
    expect(joined).toBeInstanceOf(AggregateError);
    expect(joined).toMatchObject({ message: 'no answer', errors: [error, { code: 'CLEANUP_FAILED' }] });
  });

  test('after an error that was undone in part already: what one stack could not release is not lost in the next', async () => {
    const error = new AppError('BOOT_TIMEOUT', 'no answer');
    const inner = await stackOf([], ['second']).after(error);
    const outer = await stackOf([], ['third']).after(inner);
    expect(errorsOf(outer).map((each) => (each as Error).message)).toEqual([
      'no answer',
      'Could not remove second: second is stuck',
      'Could not remove third: third is stuck',
    ]);
    expect(outer).toMatchObject({ message: 'no answer' });
  });
});
