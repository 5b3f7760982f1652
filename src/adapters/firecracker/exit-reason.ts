/** Why a VMM ended, from what is known of it. Pure. */
import type { MachineExit } from '../../core/vms/engine.ts';

export interface ExitEvidence {
  /** How its process ended; known only for one that is our own child. */
  readonly process: { readonly exitStatus: number | null; readonly signal: NodeJS.Signals | null } | undefined;
  /** The last signal that we sent. */
  readonly sent: NodeJS.Signals | undefined;
  /** The console's end, which alone tells a panic from a reboot: both reset the machine. */
  readonly consoleTail: string;
  /** The last lines of the VMM's log of this run. */
  readonly lastWords: string;
}

/** Firecracker's own exit codes (its FcExitCode). */
const STATUS_WORDS: Readonly<Record<number, string>> = {
  1: 'an error of its own, or its guest’s processor could go no further (status 1)',
  2: 'an error that it did not expect (status 2)',
  148: 'it made a system call that its filter forbids (status 148)',
  149: 'its memory was taken from under it, a file or huge pages (SIGBUS, status 149)',
  150: 'a fault of its own (SIGSEGV, status 150)',
  151: 'a file grew past its bound (SIGXFSZ, status 151)',
  152: 'a bad configuration (status 152)',
  153: 'a bad command line (status 153)',
  154: 'its processor time was used up (SIGXCPU, status 154)',
  156: 'it was hung up (SIGHUP, status 156)',
  157: 'a fault of its own (SIGILL, status 157)',
};

/** What the kernel says last before it resets the machine. */
const RESET_WORDS = /reboot: (?:Restarting system|machine restart|Power down|System halted)/;

export function machineExit(evidence: ExitEvidence): MachineExit {
  const { process, sent, consoleTail, lastWords } = evidence;
  const signal = process?.signal ?? undefined;
  if (signal === 'SIGKILL') {
    return {
      reason: 'killed',
      detail: sent === 'SIGKILL' ? 'Firecracker was killed by banger' : 'Firecracker was killed (SIGKILL)',
    };
  }
  if (process?.exitStatus === 0) return guestsOwnEnd(consoleTail);
  if (signal !== undefined && signal === sent)
    return { reason: 'stopped', detail: `Firecracker was ended by ${signal}` };
  if (signal === 'SIGTERM' || signal === 'SIGINT') {
    return { reason: 'stopped', detail: `Firecracker was ended by ${signal}` };
  }
  // Caught by Firecracker, which then ends with a status of its own.
  if (process?.exitStatus === 156 && sent === 'SIGHUP') return { reason: 'stopped', detail: 'Firecracker was hung up' };
  if (!process) return endOfAdopted(evidence);
  return { reason: 'crashed', detail: withWords(howItEnded(process), lastWords) };
}

/** Nobody told how it ended: what was sent, and the console's last words, have to do. */
function endOfAdopted({ sent, consoleTail, lastWords }: ExitEvidence): MachineExit {
  if (sent === 'SIGKILL') return { reason: 'killed', detail: 'Firecracker was killed by banger' };
  if (sent !== undefined) return { reason: 'stopped', detail: `Firecracker was ended by ${sent}` };
  if (hasPanicked(consoleTail) || RESET_WORDS.test(consoleTail)) return guestsOwnEnd(consoleTail);
  return { reason: 'crashed', detail: withWords('Firecracker ended without a word', lastWords) };
}

function guestsOwnEnd(consoleTail: string): MachineExit {
  if (hasPanicked(consoleTail)) return { reason: 'guest-panic', detail: 'the guest’s kernel panicked' };
  return { reason: 'guest-reset', detail: 'the guest reset its machine, as it does to power off or to reboot' };
}

/** A kernel that was started after the panic, in the same console, would have printed its first line anew. */
function hasPanicked(consoleTail: string): boolean {
  return /Kernel panic - not syncing/.test(consoleTail);
}

function howItEnded({ exitStatus, signal }: NonNullable<ExitEvidence['process']>): string {
  if (signal === 'SIGABRT') return 'Firecracker ended by a fault of its own (it panicked)';
  if (signal) return `Firecracker was ended by ${signal}`;
  const words = STATUS_WORDS[exitStatus ?? -1];
  return words === undefined ? `Firecracker ended with status ${exitStatus}` : `Firecracker ended: ${words}`;
}

function withWords(how: string, lastWords: string): string {
  return lastWords === '' ? how : `${how}: ${lastWords}`;
}
