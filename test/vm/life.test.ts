/** Every verb of a VM's life, on two VMs at once, and what their agents tell. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Image } from '../../src/contracts/image.ts';
import type { Operation } from '../../src/contracts/operation.ts';
import type { SetVmResult, Vm, VmStats } from '../../src/contracts/vm.ts';
import { banger, json, ok } from './banger.ts';

const GIB = 2 ** 30;
const NAMES = ['life-one', 'life-two'] as const;
const [ONE, TWO] = NAMES;

beforeAll(async () => {
  await Promise.all(
    NAMES.map((name) => ok(['vm', 'create', '--name', name, '--image', 'debian', '--cpus', '1', '--memory', '512M'])),
  );
});

afterAll(async () => {
  await banger(['vm', 'delete', ...NAMES]);
});

function show(name: string): Promise<Vm> {
  return json<Vm>(['vm', 'show', name]);
}

function inside(name: string, command: string): Promise<string> {
  return ok(['vm', 'exec', name, '--', command]);
}

describe('the agent', () => {
  test('is in a first image, and tells each stage of a boot with its time', async () => {
    expect((await json<Image>(['image', 'show', 'debian'])).agentVersion).toMatch(/^\d+\.\d+\.\d+/);
    const operations = await json<Operation[]>(['op', 'list']);
    for (const name of NAMES) {
      const created = operations.find(({ kind, target }) => kind === 'vm.create' && target === name);
      for (const stage of ['agent', 'network', 'ssh']) {
        expect(created?.stages.find((candidate) => candidate.name === stage)).toMatchObject({
          state: 'succeeded',
          note: expect.stringMatching(/^\d+\.\d s after the guest’s boot$/) as string,
        });
      }
      expect((await show(name)).agentVersion).toMatch(/^\d+\.\d+\.\d+/);
    }
  });

  test('says what its guest uses', async () => {
    const [stats] = await json<VmStats[]>(['vm', 'stats', ONE]);
    expect(stats?.guest?.memory.totalBytes).toBeGreaterThan(GIB / 4);
    expect(stats?.guest?.disks[0]?.path).toBe('/');
    expect(stats?.vmm?.residentBytes).toBeGreaterThan(0);
  });

  test('that is killed is started anew, and heard again', async () => {
    await inside(ONE, 'kill -9 "$(systemctl show --property MainPID --value banger-agent)"');
    await expect
      .poll(async () => (await json<VmStats[]>(['vm', 'stats', ONE]))[0]?.guest?.uptimeMs, { timeout: 120_000 })
      .toBeGreaterThan(0);
  });
});

test('names, the beginning of an id and a pattern mean the same VM once; what means none is told of', async () => {
  const { id } = await show(ONE);
  const { status, stdout, stderr } = await banger(['vm', 'show', ONE, id.slice(0, 9), 'life-o*', 'nobody', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ id });
  expect(stderr).toContain('There is no VM \\"nobody\\".');
  expect(status).toBe(1);
});

test('two VMs are restarted side by side, and what was changed holds from then on', async () => {
  const { result } = await json<{ result: SetVmResult }>(['vm', 'set', ONE, '--cpus', '2', '--disk', '3G', '--nat']);
  expect(result.changes.map(({ what, takesEffect }) => [what, takesEffect])).toEqual([
    ['cpus', 'next start'],
    ['disk', 'next start'],
    ['egress', 'now'],
  ]);
  expect(await show(ONE)).toMatchObject({ cpus: 2, running: { cpus: 1 }, origins: { cpus: 'flag' }, nat: true });
  const before = await Promise.all(NAMES.map((name) => inside(name, 'cat /proc/sys/kernel/random/boot_id')));
  expect((await ok(['vm', 'restart', 'life-*'])).trim().split('\n')).toEqual([`${ONE} restarted`, `${TWO} restarted`]);
  const after = await Promise.all(NAMES.map((name) => inside(name, 'cat /proc/sys/kernel/random/boot_id')));
  expect(new Set([...before, ...after]).size).toBe(4);
  expect((await inside(ONE, 'nproc')).trim()).toBe('2');
  expect(Number(await inside(ONE, 'df -B1 --output=size / | tail -n 1'))).toBeGreaterThan(2.5 * GIB);
  expect((await show(ONE)).running).toBeUndefined();
});

test('a VM that is renamed has the name inside, and is reached by it', async () => {
  await ok(['vm', 'rename', TWO, 'life-too']);
  expect((await inside('life-too', 'hostname; cat /etc/hostname')).trim().split('\n')).toEqual([
    'life-too',
    'life-too',
  ]);
  await ok(['vm', 'rename', 'life-too', TWO]);
  expect((await inside(TWO, 'hostname')).trim()).toBe(TWO);
});

test('what a guest has written to its console is shown, and nothing of it acts on a terminal', async () => {
  await inside(TWO, String.raw`printf '\033]0;owned\007 the guest speaks\n' >/dev/ttyS0`);
  await expect.poll(() => ok(['vm', 'logs', TWO]), { timeout: 30_000 }).toContain('the guest speaks');
  expect(await ok(['vm', 'logs', TWO])).not.toContain('\u001b');
});

test('a VM that is killed is stopped, and starts again', async () => {
  await ok(['vm', 'kill', TWO]);
  expect(await show(TWO)).toMatchObject({ state: 'stopped' });
  await ok(['vm', 'start', TWO]);
});

test('what was written the moment before a stop is there after the start, 20 times out of 20', async () => {
  for (let round = 1; round <= 20; round += 1) {
    await inside(TWO, `echo round ${round} >> /root/rounds`);
    await ok(['vm', 'restart', TWO]);
    const written = (await inside(TWO, 'cat /root/rounds')).trim().split('\n');
    expect(written).toHaveLength(round);
  }
});

test('prune deletes what is stopped, and nothing else', async () => {
  await ok(['vm', 'stop', TWO]);
  expect((await ok(['vm', 'prune', '--dry-run'])).trim().split('\n')).toContain(TWO);
  await ok(['vm', 'prune', '--yes']);
  const names = (await json<Vm[]>(['vm', 'list'])).map(({ name }) => name);
  expect(names).toContain(ONE);
  expect(names).not.toContain(TWO);
});
