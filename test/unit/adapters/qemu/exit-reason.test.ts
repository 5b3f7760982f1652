import { expect, test } from 'vitest';
import { type ExitEvidence, machineExit } from '../../../../src/adapters/qemu/exit-reason.ts';

const CLEAN = { exitStatus: 0, signal: null } as const;
const NOTHING: ExitEvidence = {
  shutdownReason: undefined,
  process: undefined,
  weKilledIt: false,
  protocolFault: undefined,
  lastWords: '',
};

test.each<[string, Partial<ExitEvidence>, string, RegExp]>([
  ['power-off', { shutdownReason: 'guest-shutdown', process: CLEAN }, 'guest-shutdown', /powered off/],
  ['reboot', { shutdownReason: 'guest-reset', process: CLEAN }, 'guest-reset', /rebooted/],
  ['panic', { shutdownReason: 'guest-panic', process: CLEAN }, 'guest-panic', /panicked/],
  ['SIGTERM', { shutdownReason: 'host-signal', process: CLEAN }, 'stopped', /signal/],
  ['quit', { shutdownReason: 'host-qmp-quit', process: CLEAN }, 'stopped', /quit/],
  ['power-off of an adopted one', { shutdownReason: 'guest-shutdown' }, 'guest-shutdown', /powered off/],
  ['our SIGKILL', { process: { exitStatus: null, signal: 'SIGKILL' }, weKilledIt: true }, 'killed', /when asked/],
  ['our SIGKILL of an adopted one', { weKilledIt: true }, 'killed', /when asked/],
  ['our SIGKILL after it had begun to end', { shutdownReason: 'host-signal', weKilledIt: true }, 'killed', /killed/],
  ['somebody’s SIGKILL', { process: { exitStatus: null, signal: 'SIGKILL' } }, 'killed', /SIGKILL/],
  ['SIGSEGV', { process: { exitStatus: null, signal: 'SIGSEGV' } }, 'crashed', /SIGSEGV/],
  [
    'a status',
    { process: { exitStatus: 1, signal: null }, lastWords: 'no such bus' },
    'crashed',
    /status 1: no such bus/,
  ],
  ['an adopted one that vanished', {}, 'crashed', /without a word/],
  ['a reason that is not known', { shutdownReason: 'host-error', process: CLEAN }, 'crashed', /status 0/],
  ['a broken protocol', { protocolFault: 'not JSON', weKilledIt: true }, 'crashed', /not JSON/],
])('%s', (_what, evidence, reason, detail) => {
  const exit = machineExit({ ...NOTHING, ...evidence });
  expect(exit.reason).toBe(reason);
  expect(exit.detail).toMatch(detail);
});
