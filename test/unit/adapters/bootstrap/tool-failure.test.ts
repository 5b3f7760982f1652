import { expect, test } from 'vitest';
import { bootstrapFailure } from '../../../../src/adapters/bootstrap/tool-failure.ts';
import { AppError } from '../../../../src/core/app-error.ts';
import { ProcessError } from '../../../../src/host/process.ts';

const never = new AbortController().signal;

function failed(program: string, stderr: string): ProcessError {
  return new ProcessError('exit', program, { exitStatus: 25, stderr, reason: 'ended with status 25' });
}

test.each([
  [
    'the first of apt’s errors',
    failed(
      'unshare',
      'Reading...\nE: Unable to locate package nosuch\nE: setup failed: E: apt-get failed\nE: mmdebstrap failed to run\n',
    ),
    { code: 'BOOTSTRAP_FAILED', message: 'mmdebstrap: Unable to locate package nosuch' },
  ],
  [
    'the last line, where there is no such error',
    failed('tar', 'tar: a\ntar: b\n'),
    { code: 'BOOTSTRAP_FAILED', message: 'tar: tar: b' },
  ],
  [
    'the exit, where nothing was said',
    failed('tar', ''),
    { code: 'BOOTSTRAP_FAILED', message: 'tar ended with status 25' },
  ],
  ['a full disk', failed('unshare', 'E: write failed: No space left on device\n'), { code: 'DISK_FULL' }],
  [
    'apt that sees the disk too small',
    failed('unshare', "E: You don't have enough free space in /x.\n"),
    { code: 'DISK_FULL' },
  ],
  [
    'a missing tool',
    new ProcessError('not-found', 'mkfs.ext4', { reason: 'is not installed' }),
    { code: 'HOST_TOOL_MISSING', hint: 'apt-get install e2fsprogs' },
  ],
  [
    'a missing mmdebstrap, behind unshare',
    failed('unshare', 'unshare: failed to execute mmdebstrap: No such file or directory\n'),
    { code: 'HOST_TOOL_MISSING', hint: 'apt-get install mmdebstrap' },
  ],
  [
    'ENOSPC of our own writing',
    Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC' }),
    { code: 'DISK_FULL' },
  ],
])('tells %s', (_, error, expected) => {
  expect(bootstrapFailure(error, never)).toMatchObject(expected);
});

test('an abort is its reason, and what is told already stays', () => {
  const reason = new AppError('OPERATION_CANCELLED', 'cancelled');
  expect(bootstrapFailure(failed('tar', ''), AbortSignal.abort(reason))).toBe(reason);
  const told = new AppError('SIZE_INVALID', 'too small');
  expect(bootstrapFailure(told, never)).toBe(told);
  const fault = new TypeError('fault');
  expect(bootstrapFailure(fault, never)).toBe(fault);
});
