/** What the agent takes of a guest. bench/figures/agent.ts measures the same, and shows it. */
import { stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { AGENT_PROGRAM, AgentProcess } from '../../support/agent-process.ts';

const MAX_PROGRAM_BYTES = 1_000_000;
const MAX_START_CPU_MS = 5;
const MAX_RESIDENT_BYTES = 1.5 * 2 ** 20;
const REQUESTS = 2_000;

test('of the disk', async () => {
  expect((await stat(AGENT_PROGRAM)).size).toBeLessThanOrEqual(MAX_PROGRAM_BYTES);
});

test('of memory, after 2,000 requests', async () => {
  await using agent = await AgentProcess.start();
  using host = await agent.connect();
  await host.hello();
  const methods = ['health', 'stats', 'bootId'] as const;
  for (let count = 0; count < REQUESTS; count += 1) await host.request(methods[count % 3] ?? 'health', {});
  expect(agent.residentBytes()).toBeLessThanOrEqual(MAX_RESIDENT_BYTES);
});

test('of the processor, from its start to its welcome', async () => {
  const taken: number[] = [];
  for (let count = 0; count < 5; count += 1) {
    await using agent = await AgentProcess.start();
    using host = await agent.connect();
    await host.hello();
    taken.push(agent.cpuMs());
  }
  // What else runs on the machine can only make it more.
  expect(Math.min(...taken)).toBeLessThanOrEqual(MAX_START_CPU_MS);
});
