/** From an agent's word to a port on the host, and what `vm ports` says of it: the daemon's own services, a real forwarder. */
import { duplexPair, PassThrough } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import type { AgentEvent, AgentPorts, AgentWelcome, ListeningPort } from '../../../src/contracts/agent-messages.ts';
import { vmPortsSchema } from '../../../src/contracts/vm-ports.ts';
import { AppError } from '../../../src/core/app-error.ts';
import { type Dial, HttpProbe } from '../../../src/core/publishing/http-probe.ts';
import { PublishingService } from '../../../src/core/publishing/publishing-service.ts';
import { VmPortsService } from '../../../src/core/publishing/vm-ports-service.ts';
import { AgentLink } from '../../../src/core/vms/agent-link.ts';
import type { AgentSession } from '../../../src/core/vms/agent.ts';
import { LiveMachines } from '../../../src/core/vms/live-machines.ts';
import type { MachineExit, RunningMachine } from '../../../src/core/vms/engine.ts';
import { VmDirectory } from '../../../src/core/vms/vm-directory.ts';
import { makeForwarderWorld } from '../../support/forwarder-world.ts';
import { describeInNamespaces } from '../../support/netns.ts';
import { vmRecord } from '../../support/records.ts';

const SOON = { timeout: 20_000 };
const FACTS = { mode: 'isolated', cidr: '10.77.0.0/20', namespaceName: 'banger-00000000' } as const;
const SIGNAL = new AbortController().signal;

function tcp(port: number, differences: Partial<ListeningPort> = {}): ListeningPort {
  return { protocol: 'tcp', address: '0.0.0.0', port, process: 'node', pid: 7, ...differences };
}

/** A guest's agent: answers `ports` with what the test says, and tells it when it is watched. */
class FakeAgent implements AgentSession {
  readonly welcome: AgentWelcome = {
    type: 'welcome',
    session: 'a'.repeat(16),
    protocol: 1,
    agent: '0.1.0',
    bootId: '00000000-0000-4000-8000-000000000000',
    stages: { agent: 10 },
  };
  readonly #closed = Promise.withResolvers<string>();
  readonly closed = this.#closed.promise;
  readonly #listeners = new Set<(event: AgentEvent) => void>();
  #ports: AgentPorts = { listening: [], truncated: false };

  request(method: string): Promise<never> {
    if (method === 'watchPorts') queueMicrotask(() => this.#tell());
    return Promise.resolve((method === 'ports' ? this.#ports : {}) as never);
  }

  subscribe(listener: (event: AgentEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed.resolve('let go');
  }

  listen(...listening: readonly ListeningPort[]): void {
    this.#ports = { listening: [...listening], truncated: false };
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener({ type: 'event', event: 'ports', ports: this.#ports });
  }
}

async function makeGuests() {
  const world = await makeForwarderWorld();
  const records = [
    vmRecord({ id: 'vm-1', name: 'calm-otter', address: '10.77.0.2' }),
    vmRecord({ id: 'vm-2', name: 'grey-heron', address: '10.77.0.3' }),
  ];
  const live = new LiveMachines();
  const vms = {
    list: () => records,
    findByName: (name: string) => records.find((record) => record.name === name),
  };
  const directory = new VmDirectory({
    vms: vms as never,
    peers: { names: () => new Map() },
    live,
    publish: () => undefined,
    consolePath: () => '/console',
  });
  const namesEnabled = (): boolean => false;
  const shared = { directory, live, facts: FACTS, namesEnabled };
  const publishing = new PublishingService({ ...shared, forwarder: world.link, log: () => undefined });
  onTestFinished(() => publishing.close());
  const dial: Dial = (_address, port) => {
    if (port !== 3000) return Promise.reject(new AppError('GUEST_UNREACHABLE', 'no'));
    const [ours, theirs] = duplexPair();
    theirs.end('HTTP/1.1 200 OK\r\n');
    return Promise.resolve(ours);
  };
  const ports = new VmPortsService({ ...shared, publishing, probe: new HttpProbe(dial) });
  /** Starts a VM. @returns its agent, and what ends it. */
  const start = (vmId: string) => {
    const agent = new FakeAgent();
    const { promise: exited, resolve } = Promise.withResolvers<MachineExit>();
    const machine = {
      exited,
      identity: { engine: 'qemu', accelerator: 'tcg', pid: 1 },
      openAgentStream: () => Promise.resolve(new PassThrough()),
    } as unknown as RunningMachine;
    const connector = { connect: () => Promise.resolve(agent) };
    const link = new AgentLink(machine, { connector, log: () => undefined });
    onTestFinished(() => link.close());
    live.add(vmId, { machine, agent: link, startedAt: '2026-01-01T00:00:00.000Z', shape: undefined });
    return { agent, end: () => resolve({ reason: 'guest-shutdown', detail: '' }) };
  };
  return { world, ports, start };
}

describeInNamespaces('a guest’s ports', () => {
  it('appear on the host when they listen, and go when they do not, or with the VM', async () => {
    const { world, start } = await makeGuests();
    const [otter, heron] = [start('vm-1'), start('vm-2')];
    const at = (address: string, port: number) => () => world.talk(address, port);
    otter.agent.listen(tcp(3000), tcp(5432, { address: '127.0.0.1' }));
    heron.agent.listen(tcp(3000));
    await expect.poll(at('127.77.0.2', 3000), SOON).toBe('calm-otter 3000');
    await expect.poll(at('127.77.0.3', 3000), SOON).toBe('grey-heron 3000');
    expect(await world.talk('127.77.0.2', 5432)).toBe('ECONNREFUSED');

    otter.agent.listen(tcp(3001));
    await expect.poll(at('127.77.0.2', 3001), SOON).toBe('calm-otter 3001');
    expect(await world.talk('127.77.0.2', 3000)).toBe('ECONNREFUSED');
    heron.end();
    await expect.poll(at('127.77.0.3', 3000), SOON).toBe('ECONNREFUSED');
    otter.end();
    await expect.poll(world.processes, SOON).toEqual(['flock forwarder.gate', 'flock forwarder.spare.gate']);
  });

  it('are told with what the host reaches of them, and a link where HTTP answers', async () => {
    const { ports, start } = await makeGuests();
    const { agent } = start('vm-1');
    agent.listen(
      tcp(22, { process: 'sshd\u001b[31m' }),
      tcp(3000),
      tcp(5432, { address: '127.0.0.1' }),
      tcp(53, { protocol: 'udp' }),
    );
    // The agent's welcome has to have come.
    await expect.poll(() => ports.list('calm-otter', SIGNAL).catch(() => undefined), SOON).toBeDefined();
    const listed = await ports.list('calm-otter', SIGNAL);
    expect(vmPortsSchema.parse(listed)).toEqual(listed);
    expect(listed).toMatchObject({
      vmName: 'calm-otter',
      hostName: 'calm-otter.vm',
      hostAddress: '127.77.0.2',
      namesEnabled: false,
      truncated: false,
    });
    expect(listed.ports.map(({ port, reachable, refusal, link }) => [port, reachable, refusal ?? link])).toEqual([
      [22, true, undefined],
      [3000, true, 'http://calm-otter.vm:3000'],
      [5432, false, 'guest-loopback'],
      [53, false, 'not-tcp'],
    ]);
  });

  it('are known of no VM that does not run, and of none without an agent', async () => {
    const { ports } = await makeGuests();
    await expect(ports.list('nobody', SIGNAL)).rejects.toMatchObject({ code: 'VM_NOT_FOUND' });
    await expect(ports.list('calm-otter', SIGNAL)).rejects.toMatchObject({ code: 'VM_STATE_INVALID' });
  });
});
