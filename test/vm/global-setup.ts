/** One home and one first image serve the whole suite; at its end nothing of them may be left. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { resolvePaths } from '../../src/host/paths.ts';
import { run } from '../../src/host/process.ts';
import { ok } from './banger.ts';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = await mkdtemp(join(tmpdir(), 'bgr-'));
  project.provide('bangerHome', home);
  const tearDown = async (): Promise<void> => {
    for (const line of (await ok(['vm', 'list', '--json'], home)).split('\n')) {
      for (const [, name] of line.matchAll(/"name": ?"([^"]+)"/g)) await ok(['vm', 'delete', name ?? ''], home);
    }
    await ok(['daemon', 'stop'], home);
    await assertNothingLeft(home);
    await rm(home, { recursive: true, force: true });
  };
  try {
    await ok(['image', 'bootstrap', 'debian'], home);
    return tearDown;
  } catch (error) {
    await tearDown();
    throw error;
  }
}

/** No process, namespace or mount that names this home. */
async function assertNothingLeft(home: string): Promise<void> {
  const { namespaceName } = resolvePaths({ BANGER_HOME: home }, 0);
  const left: string[] = [];
  const processes = await run(['ps', '-eo', 'pid,args', '--no-headers']);
  left.push(
    ...processes.stdout
      .split('\n')
      .filter((line) => (line.includes(home) || line.includes(namespaceName)) && !line.includes('vitest')),
  );
  const namespaces = await run(['ip', 'netns', 'list']);
  left.push(...namespaces.stdout.split('\n').filter((line) => line.startsWith(namespaceName)));
  const mounts = await run(['cat', '/proc/self/mountinfo']);
  left.push(...mounts.stdout.split('\n').filter((line) => line.includes(home) || line.includes(namespaceName)));
  if (left.length > 0) throw new Error(`The suite left this behind:\n${left.join('\n')}`);
}
