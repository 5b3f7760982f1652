import { PROBE_LINE } from '../../contracts/agent.ts';
import type { ProbeOutcome } from './ports.ts';

/** On KVM it takes a fifth of a second; a guest that has said nothing by now never will. */
export const PROBE_TIMEOUT_MS = 5_000;
/** Of the console that is kept: a kernel's messages are 30 KB. */
export const PROBE_OUTPUT_BYTES = 256 * 1024;

/** How the VMM of a probe guest ended. */
export interface ProbeRun {
  /** Of its console. */
  readonly stdout: string;
  /** Undefined where it ended by itself, without an error. */
  readonly failure: { readonly kind: 'timeout' | 'other'; readonly message: string } | undefined;
}

/** What a probe has shown. Pure. @param timeoutMs what the guest was given. */
export function judgeProbe({ stdout, failure }: ProbeRun, timeoutMs: number): ProbeOutcome {
  // Said is said, whether it could reset itself afterwards or not.
  if (stdout.includes(PROBE_LINE)) return { usable: true, reason: 'a guest was seen to run programs' };
  const last = lastLine(stdout);
  const seen = last === undefined ? '' : `; its last line: ${last}`;
  if (failure === undefined) return { usable: false, reason: `the guest ended without a word of ours${seen}` };
  if (failure.kind === 'other') return { usable: false, reason: failure.message.split('\n', 1)[0] ?? '' };
  const within = `within ${timeoutMs / 1000} s`;
  return {
    usable: false,
    reason:
      last === undefined ? `a guest said nothing ${within}` : `a guest got no further than its kernel ${within}${seen}`,
  };
}

function lastLine(text: string): string | undefined {
  const last = text.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return last === '' ? undefined : last.slice(0, 200);
}
