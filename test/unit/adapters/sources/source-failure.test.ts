import { expect, test } from 'vitest';
import { sourceFailure } from '../../../../src/adapters/sources/source-failure.ts';
import { AppError } from '../../../../src/core/app-error.ts';
import { ProcessError } from '../../../../src/host/process.ts';

const SOURCE = { what: 'tool@1.0.0', address: 'https://registry.example/' };
const running = new AbortController().signal;
const cancelled = new AppError('OPERATION_CANCELLED', 'cancelled');

function ended(facts: { stdout?: string; stderr?: string }): ProcessError {
  return new ProcessError('exit', 'git', { ...facts, exitStatus: 128, reason: 'ended with status 128' });
}

test.each<{ name: string; error: unknown; signal?: AbortSignal; expected: object }>([
  { name: 'a refusal', error: ended({ stderr: 'fatal: no\n' }), expected: { code: 'SOURCE_UNREACHABLE' } },
  {
    name: 'a tool that is missing',
    error: new ProcessError('not-found', 'git', { reason: 'is not installed' }),
    expected: { code: 'HOST_TOOL_MISSING', details: { program: 'git' } },
  },
  {
    name: 'a full disk, in git’s words',
    error: ended({ stderr: 'fatal: write error: No space left on device' }),
    expected: { code: 'DISK_FULL' },
  },
  {
    name: 'a full disk, in npm’s',
    error: ended({ stdout: '{"error":{"code":"ENOSPC"}}' }),
    expected: { code: 'DISK_FULL' },
  },
  {
    name: 'a full disk, in ours',
    error: Object.assign(new Error('write'), { code: 'ENOSPC' }),
    expected: { code: 'DISK_FULL' },
  },
  {
    name: 'a cancel, whatever came of it',
    error: ended({}),
    signal: AbortSignal.abort(cancelled),
    expected: cancelled,
  },
  { name: 'an error that is told already', error: cancelled, expected: cancelled },
])('$name', ({ error, signal = running, expected }) => {
  expect(sourceFailure(error, SOURCE, signal)).toMatchObject(expected);
});

test('the tool’s own words are told, or those that say more', () => {
  const error = ended({ stderr: 'fatal: repository not found\n' });
  expect(sourceFailure(error, SOURCE, running)).toMatchObject({
    message: `tool@1.0.0 could not be fetched from ${SOURCE.address}: git ended with status 128: fatal: repository not found`,
    details: { source: SOURCE.what, address: SOURCE.address },
  });
  expect(sourceFailure(error, SOURCE, running, () => 'the reason')).toMatchObject({
    message: `tool@1.0.0 could not be fetched from ${SOURCE.address}: the reason`,
  });
});
