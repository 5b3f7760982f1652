import { expect, test } from 'vitest';
import { ClientError } from '../../../src/client/client-error.ts';
import { reportError } from '../../../src/cli/error-report.ts';
import { Output } from '../../../src/cli/output.ts';

function capture(
  json: boolean,
  terminal: { readonly isTTY?: boolean; readonly columns?: number } = {},
): { readonly output: Output; readonly said: () => string } {
  let said = '';
  const stderr = { ...terminal, write: (text: string) => (said += text) };
  const stdout = { write: () => expect.unreachable('an error is not a result') };
  return { output: new Output({ stdout, stderr, env: { NO_COLOR: '1' }, json }), said: () => said };
}

test('an error says what happened, the facts, what to do, its code and its operation', async () => {
  const { output, said } = capture(false);
  const error = new ClientError('BUILD_STEP_FAILED', 'Step packages failed', {
    details: { exitStatus: 100, logTail: ['E: Unable to locate \u001b[1mnosuch \u001b[2J'], issues: ['not shown'] },
    operationId: 'op-0000000001',
  });
  await reportError(output, error);
  expect(said()).toBe(
    [
      'error: Step packages failed',
      '  exit status: 100',
      '  log tail:',
      '    E: Unable to locate nosuch ^[[2J',
      'hint: The operation’s log has its output; --keep-failed keeps the disk.',
      '(BUILD_STEP_FAILED, operation op-0000000001)',
      '',
    ].join('\n'),
  );
});

test('what the message has said already is not said again', async () => {
  const { output, said } = capture(false);
  const details = { path: '/home/me/config.toml', faults: [{ line: 1 }], id: 'op-1', exitStatus: 2 };
  await reportError(output, new ClientError('CONFIG_INVALID', '/home/me/config.toml:1:1: no', { details, hint: '' }));
  expect(said()).toBe('error: /home/me/config.toml:1:1: no\n  id: op-1\n  exit status: 2\n(CONFIG_INVALID)\n');
});

test('on a terminal it is broken between words, and what goes on is indented', async () => {
  const { output, said } = capture(false, { isTTY: true, columns: 60 });
  const error = new ClientError(
    'BUILD_STEP_FAILED',
    'Step "packages" failed with status 100: no package of that name\nand more',
    {
      details: { logTail: ['E: Unable to locate package nosuch-package-with-a-long-name'] },
      hint: 'The log has its output (`banger op logs op-0000000001`); --keep-failed keeps the disk.',
    },
  );
  await reportError(output, error);
  expect(said()).toBe(
    [
      'error: Step "packages" failed with status 100: no package of',
      '  that name',
      '  and more',
      '  log tail:',
      '    E: Unable to locate package',
      '      nosuch-package-with-a-long-name',
      'hint: The log has its output',
      '  (`banger op logs op-0000000001`); --keep-failed keeps the',
      '  disk.',
      '(BUILD_STEP_FAILED)',
      '',
    ].join('\n'),
  );
});

test('a terminal that has no size is taken for an ordinary one', async () => {
  const { output, said } = capture(false, { isTTY: true, columns: 0 });
  await reportError(output, new ClientError('VM_NOT_FOUND', 'There is no VM "x".', { hint: 'Look.' }));
  expect(said()).toBe('error: There is no VM "x".\nhint: Look.\n(VM_NOT_FOUND)\n');
});

test('with --json it is one JSON object', async () => {
  const { output, said } = capture(true);
  await reportError(output, new ClientError('VM_NOT_FOUND', 'There is no VM x', { hint: 'Look.' }));
  expect(JSON.parse(said())).toEqual({
    error: { code: 'VM_NOT_FOUND', message: 'There is no VM x', hint: 'Look.', details: {} },
  });
});

test('a code of a newer daemon is shown as it is', async () => {
  const { output, said } = capture(false);
  await reportError(
    output,
    ClientError.fromBody({ code: 'TIME_TRAVEL' as never, message: 'm', hint: '', details: {} }),
  );
  expect(said()).toBe('error: m\n(TIME_TRAVEL)\n');
});

test('a program that is missing is told as such; anything else is a fault of ours', async () => {
  const missing = capture(false);
  const { run } = await import('../../../src/host/process.ts');
  await run(['/nonexistent/program']).catch((error: unknown) => reportError(missing.output, error));
  expect(missing.said()).toContain('(HOST_TOOL_MISSING)');
  const fault = capture(false);
  await reportError(fault.output, new TypeError('x is not a function'));
  expect(fault.said()).toContain('error: Unexpected fault: x is not a function');
  expect(fault.said()).toContain('(INTERNAL)');
});
