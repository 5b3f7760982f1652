/** What a fake QEMU shall do: written by a test, read by the fake each time it starts. */

/** Things that can be told to a fake while it runs. */
export type FakeVerb =
  | 'guest-shutdown'
  | 'guest-reset'
  | 'guest-panic'
  | 'crash'
  | 'garbage'
  | 'endless-line'
  | 'close-control';

export interface FakeQemuPlan {
  /** Ends before it has a control socket, as QEMU does with a bad option. */
  readonly exitAtOnce?: { readonly status: number; readonly stderr: string };
  /** In its first so many starts the console stays empty. */
  readonly silentBoots?: number;
  /** In its first so many starts the console shows a kernel whose clock stands still. */
  readonly stuckBoots?: number;
  readonly ignoreSigterm?: boolean;
  /**
   * What is wrong with the control connection: no socket at all, a socket that says nothing, bytes that are no JSON,
   * a line without end, an error in answer to `cont`.
   */
  readonly control?: 'no-socket' | 'silent' | 'garbage' | 'endless-line' | 'refuse-cont';
  /** What happens right after `cont`, before the console shows anything. */
  readonly afterCont?: FakeVerb;
  /** What the guest makes of the power button; `shutdown` where left out. */
  readonly powerButton?: 'shutdown' | 'ignored';
  /**
   * A shell script that plays the guest once it runs; its output goes to the console. The power button sends it
   * SIGTERM. It ends with 0: the guest powered off; with 2: it rebooted; with anything else: its kernel panicked.
   * Its environment: FAKE_VM, FAKE_KERNEL_ARGS, FAKE_DISK, FAKE_TAP, FAKE_MAC.
   */
  readonly guestScript?: string;
}

/** Names inside the fake's folder. */
export const FAKE_FILES = {
  program: 'qemu',
  plan: 'plan.json',
  starts: 'starts.jsonl',
  phases: 'phases',
  commands: 'commands',
} as const;

/** One line of `starts.jsonl`. */
export interface FakeStart {
  readonly pid: number;
  readonly argv: readonly string[];
}

/** How far a fake has come: it looks for its options, it has a client, its guest runs. */
export type FakePhase = 'started' | 'connected' | 'running';
