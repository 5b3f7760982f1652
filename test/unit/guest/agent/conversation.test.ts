import { beforeEach, describe, expect, test } from 'vitest';
import { agentMessageSchema } from '../../../../src/contracts/agent-messages.ts';
import { MAX_FRAME_BYTES, MAX_OPEN_REQUESTS } from '../../../../src/contracts/agent.ts';
import { Connection } from '../../../../guest/agent/connection.ts';
import { OpenRequests } from '../../../../guest/agent/conversation.ts';
import { PortsList } from '../../../../guest/agent/ports-list.ts';
import { PortsWatch } from '../../../../guest/agent/ports-watch.ts';
import { Stages } from '../../../../guest/agent/stages.ts';
import { FakeStream } from '../../../fakes/agent/fake-stream.ts';
import { BOOT_ID, FakeSys, settle } from '../../../fakes/agent/fake-sys.ts';

const FIRST = '00000000000000a1';
const SECOND = '00000000000000b2';

let sys: FakeSys;
let stream: FakeStream;
let connection: Connection;
let stages: Stages;

beforeEach(() => {
  sys = new FakeSys();
  stream = new FakeStream();
  stages = new Stages((event) => connection.tell(event));
  const ports = new PortsList(sys);
  const guest = { sys, stages, ports, portsWatch: new PortsWatch(sys, ports) };
  connection = new Connection(stream, { guest, version: '9.9.9', openRequests: new OpenRequests() }, () => undefined);
  connection.listen();
  stages.reach('agent', 900);
});

function hello(session = FIRST, oldest = 1, newest = 1): void {
  stream.say({ type: 'hello', session, oldest, newest });
}

function ask(id: number, method: string, params: unknown = {}): void {
  stream.say({ type: 'request', id, method, params });
}

/** What the agent has said since the last call; everything it says is of the protocol. */
async function said(): Promise<Record<string, unknown>[]> {
  await settle();
  return stream.frames().map((frame) => agentMessageSchema.parse(frame));
}

async function begun(session = FIRST): Promise<void> {
  hello(session);
  await said();
}

describe('a session', () => {
  test('is welcomed, with how far the guest has come', async () => {
    hello();
    expect(await said()).toEqual([
      { type: 'welcome', session: FIRST, protocol: 1, agent: '9.9.9', bootId: BOOT_ID, stages: { agent: 900 } },
    ]);
    stages.reach('network', 1_100);
    hello(SECOND);
    expect((await said()).at(-1)).toMatchObject({ session: SECOND, stages: { agent: 900, network: 1_100 } });
  });

  test('the newest generation that both know is chosen; where there is none, it is refused', async () => {
    hello(FIRST, 1, 7);
    expect(await said()).toMatchObject([{ type: 'welcome', protocol: 1 }]);
    hello(SECOND, 2, 7);
    expect(await said()).toEqual([{ type: 'refused', session: SECOND, oldest: 1, newest: 1 }]);
    ask(1, 'health');
    expect(await said()).toMatchObject([{ type: 'error', id: 1, code: 'no-session' }]);
  });

  test('begins on a line of its own, whatever half a frame stands before it', async () => {
    stream.deliver(Buffer.from('{"type":"requ'));
    stream.deliver(Buffer.from('\n'));
    hello();
    await settle();
    expect(stream.taken()).toMatch(/^\n\{"type":"welcome".*\}\n$/);
  });

  test('requests before a hello are told so', async () => {
    ask(5, 'health');
    expect(await said()).toMatchObject([{ type: 'error', id: 5, code: 'no-session' }]);
  });

  test('a new hello forgets the requests of the old one, and its watch', async () => {
    await begun();
    ask(1, 'watchPorts', { enabled: true });
    await sys.pass(0);
    expect(await said()).toMatchObject([{ type: 'reply', id: 1 }, { event: 'ports' }]);
    ask(2, 'sync');
    await settle();
    await begun(SECOND);
    sys.finishSyncs();
    expect(await said()).toEqual([]);
    expect(sys.pending).toEqual([]);
  });

  test('events reach it as they come, and nobody before', async () => {
    stages.reach('network', 1_000);
    expect(await said()).toEqual([]);
    await begun();
    stages.reach('ssh', 1_500);
    stages.reach('ssh', 1_600);
    expect(await said()).toEqual([
      { type: 'event', event: 'stage', stage: 'ssh', sinceBootMs: 1_500 },
      { type: 'event', event: 'ready', stages: { agent: 900, network: 1_000, ssh: 1_500 } },
    ]);
  });
});

describe('requests', () => {
  beforeEach(() => begun());

  test.each([
    ['an unknown method', 'reboot', {}, 'unknown-method'],
    ['a name that every object has', 'constructor', {}, 'unknown-method'],
    ['another one', '__proto__', {}, 'unknown-method'],
    ['none', 3, {}, 'unknown-method'],
    ['parameters that are no object', 'health', [], 'bad-request'],
    ['parameters of another form', 'setHostname', { hostname: 'No Such Name' }, 'bad-request'],
  ])('%s', async (_, method, params, code) => {
    stream.say({ type: 'request', id: 9, method, params });
    expect(await said()).toEqual([{ type: 'error', id: 9, code, message: expect.any(String) }]);
    expect(sys.calls).toEqual([]);
  });

  test('are answered in any order', async () => {
    ask(1, 'sync');
    ask(2, 'health');
    expect(await said()).toMatchObject([{ type: 'reply', id: 2 }]);
    sys.nowMs += 30;
    sys.finishSyncs();
    expect(await said()).toEqual([{ type: 'reply', id: 1, result: { tookMs: 30 } }]);
  });

  test('more at once than allowed are refused, those of a forgotten session counted', async () => {
    for (let id = 1; id <= MAX_OPEN_REQUESTS; id += 1) ask(id, 'sync');
    ask(100, 'health');
    expect(await said()).toMatchObject([{ id: 100, code: 'busy' }]);
    await begun(SECOND);
    ask(101, 'health');
    expect(await said()).toMatchObject([{ id: 101, code: 'busy' }]);
    sys.finishSyncs();
    await settle();
    ask(102, 'health');
    expect(await said()).toMatchObject([{ type: 'reply', id: 102 }]);
  });

  test('what the system refuses is told in its words, shortened', async () => {
    sys.failing = 'setClock';
    ask(1, 'setClock', { epochMs: 5 });
    expect(await said()).toEqual([{ type: 'error', id: 1, code: 'failed', message: 'setClock failed' }]);
    sys.result = { exitStatus: 2, stderr: 'x'.repeat(5_000) };
    sys.links.set('/sys/class/net/eth0/device', '../../virtio0');
    sys.files.set('/sys/class/net/eth0/ifindex', '2\n');
    ask(2, 'setAddress', { address: '10.0.0.2', prefixLength: 8, gateway: '10.0.0.1', nameServers: [] });
    const [error] = await said();
    expect(String(error?.['message'])).toHaveLength(1_000);
  });

  test.each([
    ['broken JSON', '{"type":"request","id":1,'],
    ['no UTF-8', Buffer.from([0xff, 0xfe, 0x80])],
    ['an empty line', ''],
    ['a frame that is too long', 'x'.repeat(MAX_FRAME_BYTES + 10)],
    ['deep JSON', '['.repeat(20_000)],
  ])('%s is passed over, and the next is answered', async (_, bytes) => {
    stream.deliver(Buffer.concat([Buffer.from(bytes), Buffer.from('\n')]));
    ask(2, 'bootId');
    expect(await said()).toEqual([{ type: 'reply', id: 2, result: { bootId: BOOT_ID } }]);
  });
});

describe('a host that does not read', () => {
  beforeEach(() => begun());

  test('loses its session, and costs no memory; a new hello begins another', async () => {
    stream.room = 100;
    for (let id = 1; id < 6_000; id += 1) {
      ask(id, 'health');
      // Replies come a turn later, and only so many requests may be open.
      if (id % 50 === 0) await settle();
    }
    await settle();
    const before = stream.taken();
    expect(before.length).toBe(100);
    stream.makeRoom(Number.POSITIVE_INFINITY);
    await begun(SECOND);
    ask(1, 'bootId');
    expect(await said()).toEqual([{ type: 'reply', id: 1, result: { bootId: BOOT_ID } }]);
  });

  test('does not keep a guest from powering off', async () => {
    stream.room = 0;
    sys.files.set('/proc/1/comm', 'systemd\n');
    ask(1, 'powerOff');
    await sys.pass(900);
    expect(sys.calls).toEqual([]);
    await sys.pass(200);
    expect(sys.calls).toEqual(['run systemctl poweroff']);
  });
});

describe('a host that leaves', () => {
  test('takes its session and half a frame with it', async () => {
    await begun();
    ask(1, 'watchPorts', { enabled: true });
    await sys.pass(0);
    stream.deliver(Buffer.from('{"half":'));
    stream.leave();
    expect(stream.isListenedTo).toBe(false);
    expect(sys.pending).toEqual([]);
    stream.away = false;
    connection.listen();
    ask(2, 'health');
    expect((await said()).at(-1)).toMatchObject({ id: 2, code: 'no-session' });
  });
});
