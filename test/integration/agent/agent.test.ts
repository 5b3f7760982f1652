/** The real program, started on this machine; what would change the machine happens in namespaces of its own. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_OPEN_REQUESTS, PROBE_ARGUMENT, PROBE_LINE } from '../../../src/contracts/agent.ts';
import { agentFiles } from '../../../src/host/paths.ts';
import { ProcessError, run } from '../../../src/host/process.ts';
import { agentVersion } from '../../../scripts/agent/agent-id.ts';
import { QUICKJS } from '../../../scripts/agent/quickjs-source.ts';
import { AGENT_PROGRAM, AgentProcess } from '../../support/agent-process.ts';
import { REPOSITORY_ROOT } from '../../support/source-tree.ts';

let agent: AgentProcess;

beforeAll(async () => {
  agent = await AgentProcess.start();
});

afterAll(() => agent[Symbol.asyncDispose]());

const bootId = async (): Promise<string> => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();

describe('the program', () => {
  test('is made from the sources that lie here; scripts/setup mends it', async (context) => {
    if (process.env['QUICKJS_SRC']) return context.skip('QUICKJS_SRC names other sources');
    const version = agentVersion(QUICKJS.sha256);
    expect(await readFile(agentFiles(REPOSITORY_ROOT).version, 'utf8')).toBe(`${version}\n`);
    expect((await run([AGENT_PROGRAM, '--version'])).stdout).toBe(`${version}\n`);
  });

  test.each([[['--nonsense']], [['--listen']], [['--listen', 'tcp:1']], [['--version', 'x']]])(
    '%j is a wrong use',
    async (args) => {
      const { exitStatus, stderr } = await run([AGENT_PROGRAM, ...args], { okStatuses: [64], timeoutMs: 5_000 });
      expect(exitStatus).toBe(64);
      expect(stderr).toContain('usage: banger-agent');
    },
  );
});

describe('as the first program of a probe guest', () => {
  test('it says its line and resets the machine, which here is a namespace of processes', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('only root can make pid namespaces here');
    const argv = ['unshare', '--pid', '--fork', '--kill-child', '--', AGENT_PROGRAM, PROBE_ARGUMENT] as const;
    const failure = await run([...argv], { timeoutMs: 5_000 }).catch((error: unknown) => error);
    // A reset reaches whoever waits for the namespace's first program as SIGHUP (pid_namespaces(7)).
    expect(failure).toBeInstanceOf(ProcessError);
    expect(failure).toMatchObject({ failure: 'signal', stdout: `${PROBE_LINE}\n` });
  });

  test('and where it is not the first, it does nothing', async () => {
    const { stdout, stderr } = await run([AGENT_PROGRAM, PROBE_ARGUMENT], { okStatuses: [64], timeoutMs: 5_000 });
    expect(stdout).toBe('');
    expect(stderr).toContain('is for the first program of a guest');
  });
});

describe('a conversation', () => {
  test('begins with a welcome, and anew with each hello', async () => {
    using host = await agent.connect();
    expect(await host.hello()).toMatchObject({ type: 'welcome', protocol: 1, bootId: await bootId() });
    expect(await host.hello('00000000000000b2')).toMatchObject({ type: 'welcome', session: '00000000000000b2' });
  });

  test('every request that changes nothing', async () => {
    using host = await agent.connect();
    await host.hello();
    const { uptimeMs, stages } = await host.request('health', {});
    expect(uptimeMs).toBeGreaterThanOrEqual(stages.agent);
    expect(await host.request('bootId', {})).toEqual({ bootId: await bootId() });
    const { memory, cpu, disks } = await host.request('stats', {});
    expect(memory.totalBytes).toBeGreaterThan(memory.availableBytes);
    expect(cpu.totalMs).toBeGreaterThan(cpu.busyMs);
    expect(disks[0]).toMatchObject({ path: '/', totalBytes: expect.any(Number) });
    expect((await host.request('sync', {})).tookMs).toBeGreaterThanOrEqual(0);
    await host.request('ports', {});
    await host.request('watchPorts', { enabled: false });
  });

  test('as many requests at once as allowed, answered each', async () => {
    using host = await agent.connect();
    await host.hello();
    const methods = ['health', 'stats', 'bootId', 'nothing'];
    const answers = await Promise.all(
      Array.from({ length: MAX_OPEN_REQUESTS }, (_, at) => host.ask(methods[at % methods.length] ?? '', {})),
    );
    expect(answers.filter(({ type }) => type === 'reply')).toHaveLength((MAX_OPEN_REQUESTS * 3) / 4);
    expect(host.taken()).toEqual([]);
  });

  test('several hosts at once, each for itself', async () => {
    using one = await agent.connect();
    using other = await agent.connect();
    await Promise.all([one.hello(), other.hello()]);
    expect(await one.request('bootId', {})).toEqual(await other.request('bootId', {}));
    one.socket.destroy();
    await other.request('health', {});
  });

  test('more hosts than it serves are turned away, and find room when others have gone', async () => {
    await using crowded = await AgentProcess.start();
    const hosts = await Promise.all(Array.from({ length: 8 }, () => crowded.connect()));
    await Promise.all(hosts.map((host) => host.hello()));
    const refused = await crowded.connect();
    await refused.closed;
    for (const host of hosts) host.socket.destroy();
    for (;;) {
      using next = await crowded.connect();
      const welcome = await Promise.race([next.hello(), next.closed]);
      if (welcome) break;
    }
  });
});

describe('ports', () => {
  test('what listens, with its process, and what comes and goes', async () => {
    using host = await agent.connect();
    await host.hello();
    const udp = createSocket('udp4').bind(0, '127.0.0.1');
    await once(udp, 'listening');
    // Waited for from before: it may come in one piece with the reply.
    const first = host.next((message) => message.type === 'event' && message.event === 'ports');
    await host.request('watchPorts', { enabled: true });
    await first;
    const tcp = createServer().listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const address = tcp.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const us = { address: '127.0.0.1', pid: process.pid, process: expect.any(String) };
    await host.next(
      (message) =>
        message.type === 'event' &&
        message.event === 'ports' &&
        message.ports.listening.some((socket) => socket.port === port && socket.pid === process.pid),
    );
    const { listening } = await host.request('ports', {});
    expect(listening).toContainEqual({ ...us, protocol: 'tcp', port });
    expect(listening).toContainEqual({ ...us, protocol: 'udp', port: udp.address().port });
    tcp.close();
    udp.close();
    await host.next(
      (message) =>
        message.type === 'event' &&
        message.event === 'ports' &&
        message.ports.listening.every((socket) => socket.port !== port),
    );
  });
});

describe('name and address', () => {
  /** With network, names and /etc of its own, the latter being `dir`/etc. */
  const apart = (dir: string): readonly string[] => [
    ...['unshare', '--uts', '--net', '--mount', '--propagation', 'private', 'sh', '-euc'],
    'mount --bind "$1/etc" /etc; mount -t sysfs sysfs /sys; ip link add eth0 type veth peer name other; shift; exec "$@"',
    ...['sh', dir],
  ];

  async function startApart(): Promise<AgentProcess> {
    return AgentProcess.start((dir) => {
      // Made before the program is started, and gone with its folder.
      return ['sh', '-euc', 'mkdir "$0/etc"; printf "127.0.1.1 old\\n" >"$0/etc/hosts"; exec "$@"', dir, ...apart(dir)];
    });
  }

  test('both change at once, and what is known of them', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('only root can make network namespaces here');
    await using own = await startApart();
    using host = await own.connect();
    await host.hello();
    const inside = async (...argv: readonly [string, ...string[]]): Promise<string> => {
      const enter = ['nsenter', '-t', String(own.pid), '--uts', '--net'] as const;
      return (await run([...enter, ...argv])).stdout;
    };
    await host.request('setHostname', { hostname: 'calm-otter' });
    expect(await inside('hostname')).toBe('calm-otter\n');
    expect(await readFile(join(own.dir, 'etc/hostname'), 'utf8')).toBe('calm-otter\n');
    expect(await readFile(join(own.dir, 'etc/hosts'), 'utf8')).toBe('127.0.1.1 calm-otter\n');
    const network = { prefixLength: 20, gateway: '10.77.0.1', nameServers: ['169.254.1.1', '1.1.1.1'] };
    for (const address of ['10.77.0.9', '10.77.0.10', '10.77.0.10']) {
      await host.request('setAddress', { address, ...network });
    }
    expect(await inside('ip', '-4', '-brief', 'address', 'show', 'dev', 'eth0')).toMatch(/10\.77\.0\.10\/20 *\n$/);
    expect(await inside('ip', 'route', 'show', 'default')).toMatch(/^default via 10\.77\.0\.1 dev eth0/);
    expect(await readFile(join(own.dir, 'etc/resolv.conf'), 'utf8')).toBe(
      'nameserver 169.254.1.1\nnameserver 1.1.1.1\n',
    );
    const wrong = await host.ask('setAddress', { address: '10.77.0.9', ...network, gateway: '10.99.0.1' });
    expect(wrong).toMatchObject({ type: 'error', code: 'bad-request' });
  });

  test('the card that is configured is the stage `network`', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('only root can make network namespaces here');
    await using own = await startApart();
    using host = await own.connect();
    expect(await host.hello()).toMatchObject({ stages: { agent: expect.any(Number) } });
    const reached = host.next((message) => message.type === 'event' && message.event === 'stage');
    await host.request('setAddress', {
      address: '10.77.0.9',
      prefixLength: 20,
      gateway: '10.77.0.1',
      nameServers: [],
    });
    expect(await reached).toMatchObject({ stage: 'network' });
  });
});
