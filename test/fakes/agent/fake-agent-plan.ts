/** What a fake agent does, as plain data: it may have to cross to a fake VMM that is a process of its own. */
import type { AgentErrorCode, AgentStage } from '../../../src/contracts/agent.ts';
import type { AgentMethod, AgentStats, ListeningPort } from '../../../src/contracts/agent-messages.ts';

export type FakeAnswer =
  | { readonly result: Readonly<Record<string, unknown>> }
  | { readonly error: { readonly code: AgentErrorCode; readonly message: string } }
  /** Written as it stands, with a newline, in place of an answer. */
  | { readonly raw: string }
  /** The request is taken and never answered. */
  | 'never';

/**
 * - `sound`: as a real one.
 * - `silent`: takes everything and says nothing.
 * - `garbage`: lines that are no frames in place of the welcome; `garbage-later`: after it, without end.
 * - `closes`: ends the stream at the hello; `closes-later`: at the first request.
 * - `flood`: a welcome, then events without end.
 */
export type FakeManner = 'sound' | 'silent' | 'garbage' | 'garbage-later' | 'closes' | 'closes-later' | 'flood';

export interface FakeAgentPlan {
  readonly manner?: FakeManner;
  /** What it speaks; by default what this build does. */
  readonly generations?: { readonly oldest: number; readonly newest: number };
  /** Its own version. */
  readonly version?: string;
  readonly bootId?: string;
  /** How far the guest has come when the first hello is read; by default all the way. */
  readonly stages?: readonly AgentStage[];
  /** What it comes to as soon as a host was welcomed. */
  readonly stagesAfterWelcome?: readonly AgentStage[];
  readonly ports?: readonly ListeningPort[];
  /** In place of what a real one would answer. */
  readonly answers?: Readonly<Partial<Record<AgentMethod, FakeAnswer>>>;
  /** How long every answer takes. */
  readonly answerDelayMs?: number;
}

/** When a stage was reached, `ms` since boot: always the same, so that tests can name it. */
export const FAKE_STAGE_MS: Readonly<Record<AgentStage, number>> = { agent: 3120, network: 3350, ssh: 5210 };

export const FAKE_BOOT_ID = '6d9f0c1e-8a52-4f37-9b1d-2e4c7a60b8f5';

export const FAKE_STATS: AgentStats = {
  uptimeMs: 60_000,
  load: [0.25, 0.5, 0.75],
  cpu: { busyMs: 12_000, totalMs: 120_000 },
  memory: { totalBytes: 512 * 2 ** 20, availableBytes: 300 * 2 ** 20, swapTotalBytes: 0, swapFreeBytes: 0 },
  disks: [{ path: '/', totalBytes: 8 * 2 ** 30, availableBytes: 5 * 2 ** 30 }],
};
