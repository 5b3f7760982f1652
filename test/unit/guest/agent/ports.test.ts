import { beforeEach, describe, expect, test } from 'vitest';
import { AGENT_METHODS, type AgentPorts } from '../../../../src/contracts/agent-messages.ts';
import { MAX_FRAME_BYTES, MAX_LISTED_PORTS } from '../../../../src/contracts/agent.ts';
import { PortsList } from '../../../../guest/agent/ports-list.ts';
import { PortsWatch } from '../../../../guest/agent/ports-watch.ts';
import { FakeSys } from '../../../fakes/agent/fake-sys.ts';

interface Socket {
  readonly address?: string;
  readonly port: number;
  readonly inode: number;
}

let sys: FakeSys;

beforeEach(() => {
  sys = new FakeSys();
});

function table(name: 'tcp' | 'tcp6' | 'udp' | 'udp6', sockets: readonly Socket[]): void {
  const state = name.startsWith('tcp') ? '0A' : '07';
  const any = name.endsWith('6') ? '0'.repeat(32) : '00000000';
  const lines = sockets.map(({ address = any, port, inode }, at) => {
    const local = `${address}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
    return `${at}: ${local} ${any}:0000 ${state} 00000000:00000000 00:00000000 00000000 0 0 ${inode} 1 0 100 0\n`;
  });
  sys.files.set(`/proc/net/${name}`, `head\n${lines.join('')}`);
  const statPath = name.endsWith('6') ? '/proc/net/sockstat6' : '/proc/net/sockstat';
  const others = (sys.files.get(statPath) ?? '')
    .split('\n')
    .filter((line) => !line.startsWith(`${name.toUpperCase()}:`));
  sys.files.set(statPath, [...others, `${name.toUpperCase()}: inuse ${sockets.length} mem 0`].join('\n'));
}

function process(pid: number, name: string, ...inodes: readonly number[]): void {
  sys.files.set(`/proc/${pid}/comm`, `${name}\n`);
  sys.links.set(`/proc/${pid}/fd/0`, '/dev/null');
  for (const [at, inode] of inodes.entries()) sys.links.set(`/proc/${pid}/fd/${at + 3}`, `socket:[${inode}]`);
}

function parsed(ports: AgentPorts): AgentPorts {
  return AGENT_METHODS.ports.result.parse(ports);
}

describe('PortsList', () => {
  test('TCP and UDP, both generations, by port, with their processes', () => {
    table('tcp', [
      { port: 8080, inode: 12 },
      { port: 22, inode: 10, address: '0100007F' },
    ]);
    table('tcp6', [{ port: 22, inode: 11 }]);
    table('udp', [{ port: 53, inode: 13 }]);
    table('udp6', [{ port: 546, inode: 99 }]);
    process(300, 'sshd', 10, 11);
    process(400, 'node', 12);
    process(401, 'named', 13);
    expect(parsed(new PortsList(sys).fresh())).toEqual({
      listening: [
        { protocol: 'tcp', address: '127.0.0.1', port: 22, process: 'sshd', pid: 300 },
        { protocol: 'tcp', address: '::', port: 22, process: 'sshd', pid: 300 },
        { protocol: 'tcp', address: '0.0.0.0', port: 8080, process: 'node', pid: 400 },
        { protocol: 'udp', address: '0.0.0.0', port: 53, process: 'named', pid: 401 },
        { protocol: 'udp', address: '::', port: 546 },
      ],
      truncated: false,
    });
  });

  test('of several processes the first, and the first of all last', () => {
    table('tcp', [{ port: 80, inode: 10 }]);
    process(1, 'systemd', 10);
    expect(new PortsList(sys).fresh().listening).toMatchObject([{ pid: 1 }]);
    process(700, 'worker', 10);
    process(60, 'nginx', 10);
    expect(new PortsList(sys).fresh().listening).toMatchObject([{ pid: 60, process: 'nginx' }]);
  });

  test('nothing is looked up again while nothing has changed', () => {
    table('tcp', [{ port: 80, inode: 10 }]);
    process(60, 'nginx', 10);
    const list = new PortsList(sys);
    const first = list.current();
    sys.reads = [];
    expect(list.current()).toBe(first);
    expect(new Set(sys.reads)).toEqual(new Set(['/proc/net/sockstat', '/proc/net/sockstat6']));
  });

  test('processes are looked up only for what is new', () => {
    table('tcp', [{ port: 80, inode: 10 }]);
    process(60, 'nginx', 10);
    const list = new PortsList(sys);
    list.current();
    table('tcp', [
      { port: 80, inode: 10 },
      { port: 81, inode: 11 },
    ]);
    process(60, 'renamed', 10);
    process(61, 'other', 11);
    expect(list.current().listening).toMatchObject([{ process: 'nginx' }, { process: 'other' }]);
    expect(list.fresh().listening).toMatchObject([{ process: 'renamed' }, { process: 'other' }]);
  });

  test('one socket in another’s place is seen after some seconds', () => {
    table('tcp', [{ port: 80, inode: 10 }]);
    const list = new PortsList(sys);
    list.current();
    table('tcp', [{ port: 81, inode: 11 }]);
    expect(list.current().listening).toMatchObject([{ port: 80 }]);
    sys.nowMs += 4_000;
    expect(list.current().listening).toMatchObject([{ port: 81 }]);
  });

  test('too many are cut, and it says so; the longest list is a frame', () => {
    table(
      'tcp6',
      Array.from({ length: 400 }, (_, at) => ({
        port: 60_000 - at,
        inode: 4_000_000_000 + at,
        address: 'FF'.repeat(16),
      })),
    );
    // A name may be any bytes: those that JSON has to write out are the longest.
    process(4_194_303, '\u0001'.repeat(15), ...Array.from({ length: 400 }, (_, at) => 4_000_000_000 + at));
    const ports = parsed(new PortsList(sys).fresh());
    expect(ports.listening).toHaveLength(MAX_LISTED_PORTS);
    expect(ports.truncated).toBe(true);
    expect(JSON.stringify({ type: 'reply', id: 0xffff_ffff, result: ports }).length).toBeLessThan(MAX_FRAME_BYTES - 1);
  });

  test('a table that was not read to its end counts as cut, where what is missing may listen', () => {
    const line = (state: string): string =>
      `   0: 00000000:0016 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 14021 1 0000000000000000 100\n`;
    sys.files.set('/proc/net/sockstat', 'TCP: inuse 1000 orphan 0\n');
    sys.files.set('/proc/net/tcp', line('0A') + line('01').repeat(900));
    expect(new PortsList(sys).fresh()).toMatchObject({ listening: [{ port: 22 }], truncated: false });
    sys.files.set('/proc/net/tcp', line('0A').repeat(900));
    expect(new PortsList(sys).fresh().truncated).toBe(true);
  });
});

describe('PortsWatch', () => {
  test('tells at once and after each change; looks only while somebody asks', async () => {
    const watch = new PortsWatch(sys, new PortsList(sys));
    const told: number[][] = [];
    const listener = {
      onPorts: ({ listening }: AgentPorts): void => void told.push(listening.map(({ port }) => port)),
    };
    await sys.pass(10_000);
    expect(sys.reads).toEqual([]);
    watch.add(listener);
    await sys.pass(0);
    expect(told).toEqual([[]]);
    table('tcp', [{ port: 3000, inode: 1 }]);
    await sys.pass(1_000);
    expect(told).toEqual([[], [3000]]);
    await sys.pass(20_000);
    expect(told).toHaveLength(2);
    watch.remove(listener);
    expect(sys.pending).toEqual([]);
  });

  test('each of several is told everything once', async () => {
    const watch = new PortsWatch(sys, new PortsList(sys));
    const told: string[] = [];
    const one = { onPorts: (): void => void told.push('one') };
    const other = { onPorts: (): void => void told.push('other') };
    watch.add(one);
    await sys.pass(2_500);
    watch.add(other);
    await sys.pass(0);
    expect(told).toEqual(['one', 'other']);
    // Asked again, it is told again.
    watch.add(one);
    await sys.pass(0);
    expect(told).toEqual(['one', 'other', 'one']);
    watch.remove(one);
    table('udp', [{ port: 53, inode: 1 }]);
    await sys.pass(1_000);
    expect(told).toEqual(['one', 'other', 'one', 'other']);
  });
});
