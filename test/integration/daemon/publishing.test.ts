/** Guests' names on a host of the test's own, while the real daemon comes, goes and is killed. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { dnsAddressOf, loopbackAddressOf } from '../../../src/core/networks/loopback-plan.ts';
import { type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';
import { processesOf } from '../../support/host-state.ts';
import { makeNamespace, runInside } from '../../support/netns.ts';

const SOON = { timeout: 30_000 };

let stack: AsyncDisposableStack;
let host: string;
let home: DaemonHome;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  stack = new AsyncDisposableStack();
  host = await makeNamespace(stack);
  home = stack.use(await makeDaemonHome({ host }));
  await home.start();
  await home.perform('imageRegister', { params: { name: 'tiny' }, body: home.image });
});

afterAll(async () => {
  await stack?.disposeAsync();
});

beforeEach(async (context) => {
  needRoot(context);
  await home.start();
});

const instance = () => ({ cidr: '10.77.0.0/20', namespaceName: home.paths.namespaceName });

/** What the name server on the host says: an address, or the error's code. */
async function resolve(name: string): Promise<string> {
  const program = `
    const resolver = new (require('node:dns/promises').Resolver)({ timeout: 1000, tries: 1 });
    resolver.setServers(['${dnsAddressOf(instance())}:5377']);
    resolver.resolve4('${name}').then((found) => console.log(found.join()), ({ code }) => console.log(code));`;
  return (await runInside(host, [process.execPath, '-e', program])).stdout.trim();
}

/** What waits at the gates and what serves, by the program that it is. */
async function forwarders(): Promise<readonly string[]> {
  const found = await processesOf(home.paths);
  const lines = found.map(({ commandLine }) => commandLine).filter((line) => line.includes('.gate'));
  return lines.map((line) => line.split(' ')[0]?.split('/').at(-1) ?? '').toSorted();
}

async function create(name: string): Promise<string> {
  const { error } = await home.perform('vmCreate', { body: { name, image: 'tiny' } });
  expect(error).toBeUndefined();
  const { address } = await home.client.call('vmShow', { params: { name } });
  return loopbackAddressOf(address, instance()) ?? '';
}

async function remove(name: string): Promise<void> {
  expect((await home.perform('vmDelete', { params: { name } })).error).toBeUndefined();
}

describe('names of guests', () => {
  test('are answered from the first VM that runs to the last, and for those that are stopped meanwhile', async () => {
    expect(await forwarders()).toEqual(['flock', 'flock']);
    expect(await resolve('otter.vm')).toBe('ECONNREFUSED');
    const [otter, heron] = [await create('otter'), await create('heron')];
    await expect.poll(() => resolve('otter.vm'), SOON).toBe(otter);
    expect(await resolve('app.heron.vm')).toBe(heron);
    expect(await resolve('nobody.vm')).toBe('ENOTFOUND');

    await home.perform('vmStop', { params: { name: 'heron' } });
    expect(await resolve('heron.vm')).toBe(heron);
    await remove('heron');
    await expect.poll(() => resolve('heron.vm'), SOON).toBe('ENOTFOUND');
    await remove('otter');
    await expect.poll(forwarders, SOON).toEqual(['flock', 'flock']);
    expect(await resolve('otter.vm')).toBe('ECONNREFUSED');
  });

  test('end with a daemon that is killed, and are there again with the next one', async () => {
    const otter = await create('otter');
    await expect.poll(() => resolve('otter.vm'), SOON).toBe(otter);
    await home.crash();
    await expect.poll(forwarders, SOON).toEqual([]);
    expect(await resolve('otter.vm')).toBe('ECONNREFUSED');
    await home.start();
    await expect.poll(() => resolve('otter.vm'), SOON).toBe(otter);
    await remove('otter');
  });

  test('end with a daemon that is stopped, though its VMs go on', async () => {
    const otter = await create('otter');
    await expect.poll(() => resolve('otter.vm'), SOON).toBe(otter);
    expect(await home.banger('daemon', 'stop')).toMatchObject({ exitStatus: 0 });
    expect(await forwarders()).toEqual([]);
    await home.start();
    await remove('otter');
  });

  test('of two daemons that start at once one brings its forwarder, and the other leaves none', async () => {
    await home.banger('daemon', 'stop');
    const started = await Promise.all([1, 2, 3].map(() => home.banger('daemon', 'start', '--json')));
    expect(started.map(({ exitStatus }) => exitStatus)).toEqual([0, 0, 0]);
    await expect.poll(forwarders, SOON).toEqual(['flock', 'flock']);
  });

  test('the CLI says what it cannot know of a guest without an agent', async () => {
    await create('otter');
    const named = await home.banger('vm', 'ports', 'otter');
    expect(named).toMatchObject({ exitStatus: 1, stdout: expect.not.stringContaining('otter') });
    expect(named.stderr).toContain('AGENT_UNREACHABLE');
    const all = await home.banger('vm', 'ports');
    expect(all).toMatchObject({ exitStatus: 0, stderr: expect.stringContaining('otter: The guest has no agent') });
    await remove('otter');
  });
});
