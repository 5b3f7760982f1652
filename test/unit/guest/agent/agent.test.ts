/** The whole agent on a machine in memory. */
import { beforeEach, describe, expect, test } from 'vitest';
import { AGENT_PORT_NAME, AGENT_VSOCK_PORT } from '../../../../src/contracts/agent.ts';
import { startAgent } from '../../../../guest/agent/agent.ts';
import { FakeStream } from '../../../fakes/agent/fake-stream.ts';
import { FakeSys, settle } from '../../../fakes/agent/fake-sys.ts';

const HELLO = { type: 'hello', session: '00000000000000a1', oldest: 1, newest: 1 };
const MINUTE_MS = 60_000;

let sys: FakeSys;
let ended: number;

beforeEach(() => {
  sys = new FakeSys();
  ended = 0;
});

function start(): void {
  startAgent(sys, { version: '9.9.9', onNoChannel: () => (ended += 1) });
}

/** The port's driver is loaded. */
function plugIn(name = AGENT_PORT_NAME, device = 'vport3p1'): FakeStream {
  const stream = new FakeStream();
  sys.files.set(`/sys/class/virtio-ports/${device}/name`, `${name}\n`);
  sys.ports.set(`/dev/${device}`, stream);
  return stream;
}

describe('the port', () => {
  test('may come late; a host that has said hello by then is welcomed', async () => {
    plugIn('org.example.other', 'vport3p0');
    start();
    await sys.pass(3_000);
    expect(sys.calls).toEqual([]);
    const port = plugIn();
    port.say(HELLO);
    await sys.pass(50);
    expect(sys.calls).toEqual(['open /dev/vport3p1']);
    expect(port.frames()).toMatchObject([
      { type: 'hail' },
      { type: 'welcome', agent: '9.9.9', stages: { agent: expect.closeTo(4_000, -2) } },
    ]);
  });

  test('whose host leaves is not read until one comes', async () => {
    const port = plugIn();
    start();
    await sys.pass(50);
    port.leave();
    await settle();
    const { reads } = port;
    await sys.pass(10 * MINUTE_MS);
    expect(port.reads).toBe(reads);
    expect(port.isWatched).toBe(true);
    port.comeBack();
    port.say(HELLO);
    expect(port.frames()).toMatchObject([{ type: 'hail' }, { type: 'welcome' }]);
  });

  test('a change that is no host costs one look', async () => {
    const port = plugIn();
    port.away = true;
    start();
    await sys.pass(50);
    const { reads } = port;
    port.leave();
    await settle();
    expect(port.reads).toBe(reads + 1);
    expect(port.isWatched).toBe(true);
  });

  test('that somebody else has open is asked for again', async () => {
    const port = plugIn();
    sys.failing = 'open';
    start();
    await sys.pass(100);
    sys.failing = undefined;
    await sys.pass(100);
    port.say(HELLO);
    expect(port.frames()).toMatchObject([{ type: 'hail' }, { type: 'welcome' }]);
    expect(sys.calls.filter((call) => call.startsWith('log'))).toHaveLength(1);
  });
});

describe('vsock', () => {
  beforeEach(() => {
    sys.files.set('/sys/class/misc/vsock/dev', '10:121\n');
    start();
  });

  test('each connection is a conversation of its own', async () => {
    await sys.pass(50);
    expect(sys.calls).toEqual([`listen vsock ${AGENT_VSOCK_PORT}`]);
    const one = sys.connectVsock();
    const other = sys.connectVsock();
    one.say(HELLO);
    other.say({ ...HELLO, session: '00000000000000b2' });
    expect(one.frames()).toMatchObject([{ type: 'welcome', session: HELLO.session }]);
    expect(other.frames()).toMatchObject([{ type: 'welcome', session: '00000000000000b2' }]);
    one.leave();
    await sys.pass(0);
    expect(sys.calls.at(-1)).toBe('collect');
    expect(one.closed).toBe(true);
    expect(other.closed).toBe(false);
  });

  test('more connections than a host needs are closed; one that leaves makes room', async () => {
    await sys.pass(50);
    const many = Array.from({ length: 9 }, () => sys.connectVsock());
    expect(many.map(({ closed }) => closed)).toEqual([...Array<boolean>(8).fill(false), true]);
    many[0]?.leave();
    expect(sys.connectVsock().closed).toBe(false);
  });
});

describe('without any channel', () => {
  test('it gives up after some minutes', async () => {
    start();
    await sys.pass(4 * MINUTE_MS);
    expect(ended).toBe(0);
    await sys.pass(2 * MINUTE_MS);
    expect(ended).toBe(1);
  });

  test('with one it never does, and is quiet once everything has been looked for', async () => {
    plugIn();
    sys.files.set('/proc/net/route', 'head\neth0\t00000000\t0\t0003\n');
    sys.files.set('/proc/net/sockstat', 'TCP: inuse 1\n');
    sys.files.set('/proc/net/tcp', 'head\n 0: 00000000:0016 00000000:0000 0A 0:0 0:0 0 0 0 7 1 0\n');
    start();
    await sys.pass(10 * MINUTE_MS);
    expect(ended).toBe(0);
    expect(sys.pending).toEqual([]);
  });
});

test('for tests, a unix socket in the place of the guest’s channels', async () => {
  plugIn();
  startAgent(sys, { version: '9.9.9', unixPath: '/run/test.sock', onNoChannel: () => (ended += 1) });
  expect(sys.calls).toEqual(['listen /run/test.sock']);
  const stream = sys.connectVsock();
  stream.say(HELLO);
  expect(stream.frames()).toMatchObject([{ type: 'welcome', stages: { agent: 1_000 } }]);
  await sys.pass(10 * MINUTE_MS);
  expect(sys.calls).toEqual(['listen /run/test.sock']);
});
