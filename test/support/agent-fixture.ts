import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentMethod } from '../../src/contracts/agent-messages.ts';
import { REPOSITORY_ROOT } from './source-tree.ts';

/** One generation of the guest protocol, frozen: every kind of message in every form. */
export interface AgentFixture {
  readonly generation: number;
  readonly host: readonly Readonly<Record<string, unknown>>[];
  readonly agent: readonly Readonly<Record<string, unknown>>[];
  readonly results: Readonly<Record<AgentMethod, readonly Readonly<Record<string, unknown>>[]>>;
}

export function agentFixturePath(name: string): string {
  return join(REPOSITORY_ROOT, 'test/fixtures/agent', name);
}

export function readAgentFixture(generation: number): AgentFixture {
  return JSON.parse(readFileSync(agentFixturePath(`generation-${generation}.json`), 'utf8')) as AgentFixture;
}
