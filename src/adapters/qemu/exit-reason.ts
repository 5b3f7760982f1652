/** Why a VMM ended, from what is known of it. Pure. */
import type { MachineExit, MachineExitReason } from '../../core/vms/engine.ts';

export interface ExitEvidence {
  /** Reason of QEMU's last `SHUTDOWN` event (qapi/run-state.json, `ShutdownCause`). */
  readonly shutdownReason: string | undefined;
  /** How its process ended; known only for one that is our own child. */
  readonly process: { readonly exitStatus: number | null; readonly signal: NodeJS.Signals | null } | undefined;
  /** We sent SIGKILL. */
  readonly weKilledIt: boolean;
  /** What it broke of the control protocol, where that is why it was ended. */
  readonly protocolFault: string | undefined;
  /** The last lines of its log from this run. */
  readonly lastWords: string;
}

const REASONS: Readonly<Record<string, { readonly reason: MachineExitReason; readonly detail: string }>> = {
  'guest-shutdown': { reason: 'guest-shutdown', detail: 'the guest powered off' },
  'guest-reset': { reason: 'guest-reset', detail: 'the guest rebooted, or its kernel panicked early' },
  'guest-panic': { reason: 'guest-panic', detail: 'the guest’s kernel panicked' },
  'host-qmp-quit': { reason: 'stopped', detail: 'QEMU was told to quit' },
  'host-signal': { reason: 'stopped', detail: 'QEMU was ended by a signal' },
};

export function machineExit(evidence: ExitEvidence): MachineExit {
  const { process, lastWords } = evidence;
  if (evidence.protocolFault !== undefined) return { reason: 'crashed', detail: evidence.protocolFault };
  // What it says of itself counts, unless it was then killed before it was through.
  const told = evidence.weKilledIt ? undefined : REASONS[evidence.shutdownReason ?? ''];
  if (told) return told;
  if (evidence.weKilledIt) return { reason: 'killed', detail: 'QEMU did not end when asked to, and was killed' };
  if (process?.signal === 'SIGKILL') return { reason: 'killed', detail: 'QEMU was killed (SIGKILL)' };
  return { reason: 'crashed', detail: [howItEnded(process), lastWords].filter((part) => part !== '').join(': ') };
}

function howItEnded(process: ExitEvidence['process']): string {
  if (!process) return 'QEMU ended without a word';
  if (process.signal) return `QEMU was ended by ${process.signal}`;
  return `QEMU ended with status ${process.exitStatus}`;
}
