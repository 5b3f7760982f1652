import { expect, test } from 'vitest';
import { type ExitEvidence, machineExit } from '../../../../src/adapters/firecracker/exit-reason.ts';

const PANIC = '[ 1.2] Kernel panic - not syncing: Attempted to kill init!\n[ 1.3] Rebooting in 1 seconds..';
const RESTART = '[ 9.1] reboot: Restarting system';

function status(exitStatus: number): Partial<ExitEvidence> {
  return { process: { exitStatus, signal: null } };
}

function signal(name: NodeJS.Signals, sent?: NodeJS.Signals): Partial<ExitEvidence> {
  return { process: { exitStatus: null, signal: name }, sent };
}

test.each<[string, Partial<ExitEvidence>, string, RegExp]>([
  ['a reset', { ...status(0), consoleTail: RESTART }, 'guest-reset', /reset its machine/],
  ['a reset without a word', status(0), 'guest-reset', /reset its machine/],
  ['a reset after Ctrl-Alt-Del', { ...status(0), lastWords: 'some warning' }, 'guest-reset', /reset its machine/],
  ['a panic', { ...status(0), consoleTail: PANIC }, 'guest-panic', /panicked/],
  ['a triple fault, from 1.15 on', { ...status(1), lastWords: 'vcpu 0: shutdown' }, 'crashed', /status 1\): vcpu 0/],
  ['a forbidden system call', status(148), 'crashed', /filter forbids/],
  ['memory that is gone', status(149), 'crashed', /SIGBUS/],
  ['a hang-up by others', status(156), 'crashed', /SIGHUP/],
  ['a hang-up by us', { ...status(156), sent: 'SIGHUP' }, 'stopped', /hung up/],
  ['a bad argument', status(153), 'crashed', /command line/],
  ['a status that nobody knows', status(42), 'crashed', /^Firecracker ended with status 42$/],
  ['a panic of its own', { ...signal('SIGABRT'), lastWords: 'panicked at' }, 'crashed', /panicked\): panicked at/],
  ['SIGSEGV from outside', signal('SIGSEGV'), 'crashed', /by SIGSEGV/],
  ['our SIGTERM', signal('SIGTERM', 'SIGTERM'), 'stopped', /by SIGTERM/],
  ['somebody’s SIGTERM', signal('SIGTERM'), 'stopped', /by SIGTERM/],
  ['our SIGQUIT', signal('SIGQUIT', 'SIGQUIT'), 'stopped', /by SIGQUIT/],
  ['our SIGKILL', signal('SIGKILL', 'SIGKILL'), 'killed', /by banger/],
  ['the kernel’s SIGKILL', signal('SIGKILL'), 'killed', /\(SIGKILL\)/],
  ['an adopted one’s reset', { consoleTail: RESTART }, 'guest-reset', /reset its machine/],
  ['an adopted one’s panic', { consoleTail: PANIC }, 'guest-panic', /panicked/],
  ['an adopted one that we ended', { sent: 'SIGTERM' }, 'stopped', /by SIGTERM/],
  ['an adopted one that we killed', { sent: 'SIGKILL' }, 'killed', /by banger/],
  ['an adopted one’s end without a word', { lastWords: 'last line' }, 'crashed', /without a word: last line/],
])('%s', (_what, evidence, reason, detail) => {
  const exit = machineExit({ process: undefined, sent: undefined, consoleTail: '', lastWords: '', ...evidence });
  expect(exit.reason).toBe(reason);
  expect(exit.detail).toMatch(detail);
});
