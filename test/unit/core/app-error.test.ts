import { describe, expect, test } from 'vitest';
import { ERRORS, ERROR_CODES, errorBodySchema } from '../../../src/contracts/errors.ts';
import { AppError, abortCause, describe as inWords, toAppError } from '../../../src/core/app-error.ts';

describe('AppError', () => {
  test.each(ERROR_CODES)('%s has the catalogue’s status and hint', (code) => {
    const error = new AppError(code, 'What happened.');
    expect(error).toMatchObject({ code, status: ERRORS[code].status, hint: ERRORS[code].hint, details: {} });
    expect(errorBodySchema.parse(error.toBody())).toEqual(error.toBody());
  });

  test('a better hint, facts and the cause are kept', () => {
    const cause = new TypeError('inner');
    const error = new AppError('IMAGE_IN_USE', 'VM "a" uses it.', {
      hint: 'Delete a.',
      details: { vms: ['a'] },
      cause,
    });
    expect(error.cause).toBe(cause);
    expect(error.toBody('op-1')).toEqual({
      code: 'IMAGE_IN_USE',
      message: 'VM "a" uses it.',
      hint: 'Delete a.',
      details: { vms: ['a'] },
      operationId: 'op-1',
    });
  });

  test('without a cause there is none, not one that is undefined', () => {
    expect(Object.hasOwn(new AppError('INTERNAL', 'x'), 'cause')).toBe(false);
    expect(Object.hasOwn(new AppError('INTERNAL', 'x').toBody(), 'operationId')).toBe(false);
  });
});

describe('toAppError', () => {
  test('one of ours stays itself', () => {
    const error = new AppError('DISK_FULL', 'x');
    expect(toAppError(error)).toBe(error);
  });

  test.each([
    [new TypeError('boom'), 'Unexpected fault: boom'],
    ['boom', 'Unexpected fault: boom'],
    [undefined, 'Unexpected fault: undefined'],
    [{ toString: (): string => 'odd' }, 'Unexpected fault: odd'],
  ])('anything else is a fault of ours, its cause kept', (thrown, message) => {
    const error = toAppError(thrown);
    expect(error).toMatchObject({ code: 'INTERNAL', message });
    expect(error.cause).toBe(thrown);
  });

  test.each(['ENOSPC', 'EDQUOT'])('%s from any write is a full disk, not a fault of ours', (code) => {
    const thrown = Object.assign(new Error(`${code}: no space left on device, write`), { code });
    expect(toAppError(thrown)).toMatchObject({ code: 'DISK_FULL', cause: thrown });
  });

  test('of several, the first speaks and the others are named', () => {
    const first = new AppError('BUILD_STEP_FAILED', 'It failed.', { details: { step: 'user' } });
    const joined = new AggregateError([first, new AppError('CLEANUP_FAILED', 'TAP left.'), 'odd']);
    expect(toAppError(joined)).toMatchObject({
      code: 'BUILD_STEP_FAILED',
      message: 'It failed.',
      details: { step: 'user', alsoFailed: ['TAP left.', 'odd'] },
    });
  });

  test('of several of which the first is a fault of ours, every one is named all the same', () => {
    const error = toAppError(new AggregateError([new TypeError('boom'), new AppError('CLEANUP_FAILED', 'TAP left.')]));
    expect(error).toMatchObject({ code: 'INTERNAL', message: 'Unexpected fault: boom' });
    expect(error.details).toEqual({ alsoFailed: ['TAP left.'] });
  });
});

describe('abortCause', () => {
  test('an abort is reported as what caused it', () => {
    const reason = new AppError('OPERATION_CANCELLED', 'cancelled');
    expect(abortCause(AbortSignal.abort(reason), new TypeError('aborted'))).toBe(reason);
  });

  test('an error without an abort of ours is itself', () => {
    const error = new TypeError('x');
    expect(abortCause(new AbortController().signal, error)).toBe(error);
    expect(abortCause(AbortSignal.abort(), error)).toBe(error);
  });
});

test('describe', () => {
  expect(inWords(new TypeError('x'))).toBe('x');
  expect(inWords('y')).toBe('y');
});
