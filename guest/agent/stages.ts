import type { AgentEvent } from '../../src/contracts/agent-messages.ts';
import { AGENT_STAGES, type AgentStage } from '../../src/contracts/agent.ts';

export type StageTimes = Partial<Record<AgentStage, number>>;

/** How far the guest has come, and when, `ms` since boot. */
export class Stages {
  readonly #times: StageTimes = {};
  readonly #emit: (event: AgentEvent) => void;

  constructor(emit: (event: AgentEvent) => void) {
    this.#emit = emit;
  }

  has(stage: AgentStage): boolean {
    return this.#times[stage] !== undefined;
  }

  /** A second time changes nothing. */
  reach(stage: AgentStage, sinceBootMs: number): void {
    if (this.has(stage)) return;
    this.#times[stage] = sinceBootMs;
    this.#emit({ type: 'event', event: 'stage', stage, sinceBootMs });
    const { agent, network, ssh } = this.#times;
    if (agent === undefined || network === undefined || ssh === undefined) return;
    this.#emit({ type: 'event', event: 'ready', stages: { agent, network, ssh } });
  }

  /** @param nowMs stands for the agent's own stage as long as it has not come. */
  times(nowMs: number): StageTimes & { readonly agent: number } {
    return { ...this.#times, agent: this.#times.agent ?? nowMs };
  }

  get complete(): boolean {
    return AGENT_STAGES.every((stage) => this.has(stage));
  }
}
