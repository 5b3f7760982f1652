/** What an engine brings to the conformance suite. */
import type { Engine, MachineExitReason, MachineSpec } from '../../../src/core/vms/engine.ts';

/** What the guest does once it runs: `conformance=` of guest-init.sh. */
export type Behaviour = 'idle' | 'poweroff' | 'reboot' | 'panic' | 'drives' | 'diskrate' | 'netrate';

export interface ConformanceBench {
  readonly engine: Engine;
  /**
   * A machine whose guest behaves so. It has three drives, the root disk first, then `second` and `third`, 16 MiB each;
   * the third is read-only. Everything of it goes with the bench.
   */
  makeMachine(behaviour: Behaviour): Promise<ConformanceMachine>;
  /** A program that starts the machine in its environment's `SPEC`, prints its identity as a line of JSON, and waits. */
  readonly starter: { readonly argv: readonly [string, ...string[]]; readonly env: Readonly<Record<string, string>> };
  /**
   * How an engine words the ways a guest can end; undefined where its guests cannot end so. A guest that ends as
   * `endsBy` says has ended by itself: that one must be `guest-shutdown`.
   */
  readonly exits: Readonly<Record<'poweroff' | 'reboot' | 'panic', MachineExitReason | undefined>>;
  /** A TCP server beside the machine's TAP that takes what the guest of `netrate` sends, and then closes. */
  serveDiscard(): Promise<void>;
  readonly bootTimeoutMs: number;
}

export interface ConformanceMachine {
  readonly spec: MachineSpec;
  /** The drive's content on the host. */
  readonly driveText: (id: 'second' | 'third') => string;
}
