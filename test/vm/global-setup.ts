/** One home and one first image serve the whole suite; at its end nothing of them may be left. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { resolvePaths } from '../../src/host/paths.ts';
import { run } from '../../src/host/process.ts';
import type { Vm } from '../../src/contracts/vm.ts';
import { json, ok } from './banger.ts';

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const home = await mkdtemp(join(tmpdir(), 'bgr-'));
  project.provide('bangerHome', home);
  const tearDown = async (): Promise<void> => {
    for (const { name } of await json<Vm[]>(['vm', 'list'], home)) await ok(['vm', 'delete', name], home);
    await ok(['daemon', 'stop'], home);
    await assertNothingLeft(home);
    await rm(home, { recursive: true, force: true });
  };
  try {
    await writeConfig(home);
    await ok(['image', 'bootstrap', 'debian'], home);
    return tearDown;
  } catch (error) {
    await tearDown();
    throw error;
  }
}

/** The tmux plugins come from repositories made here: a local mirror, at commits that it has. */
async function writeConfig(home: string): Promise<void> {
  const lines = ['[sources]'];
  for (const [key, name] of [
    ['tpm', 'tpm'],
    ['tmux_resurrect', 'tmux-resurrect'],
    ['tmux_continuum', 'tmux-continuum'],
  ] as const) {
    const dir = join(home, 'mirror', name);
    await mkdir(dir, { recursive: true });
    await writeFile(join(dir, 'tpm'), `#!/usr/bin/env bash\necho this is ${name}\n`, { mode: 0o755 });
    const git = (...args: string[]): ReturnType<typeof run> =>
      run(['git', '-C', dir, '-c', 'user.name=test', '-c', 'user.email=test@localhost', ...args]);
    await git('init', '--quiet', '--initial-branch=master');
    await git('add', '--all');
    await git('commit', '--quiet', '--message=first');
    const commit = (await git('rev-parse', 'HEAD')).stdout.trim();
    lines.push(`${key} = { url = "file://${dir}", commit = "${commit}" }`);
  }
  await mkdir(join(home, 'config'), { recursive: true });
  await writeFile(join(home, 'config', 'config.toml'), `${lines.join('\n')}\n`);
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
