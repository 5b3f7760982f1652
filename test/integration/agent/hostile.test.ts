/** Whatever a host sends or leaves unread, the agent goes on, and does not grow. */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { MAX_FRAME_BYTES } from '../../../src/contracts/agent.ts';
import { AgentProcess } from '../../support/agent-process.ts';

const SEED = 20_250_426;
const FRAMES = 120_000;
/** From then on it has seen everything, and its memory has the size that it keeps. */
const WARM_UP_FRAMES = 20_000;
const MAX_GROWTH_BYTES = 512 * 1024;

/** Without any of root's rights: a frame that by chance is a request does nothing to this machine. */
const powerless = (): readonly string[] =>
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all'] : [];

/** No `powerOff` among them: who is root may ask systemd for that without any rights. */
const VALID: readonly object[] = [
  { type: 'hello', session: '4f1c2a9be07d5836', oldest: 1, newest: 1 },
  { type: 'request', id: 1, method: 'health', params: {} },
  { type: 'request', id: 4_294_967_295, method: 'bootId', params: {} },
  { type: 'request', id: 3, method: 'stats', params: {} },
  { type: 'request', id: 4, method: 'watchPorts', params: { enabled: true } },
  { type: 'request', id: 5, method: 'setClock', params: { epochMs: 1_750_000_000_000 } },
  { type: 'request', id: 6, method: 'setHostname', params: { hostname: 'calm-otter' } },
  { type: 'request', id: 7, method: 'toString', params: { __proto__: 1 } },
];

/** Mulberry32: the same numbers in each run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

function hostileFrame(pick: (below: number) => number): Buffer {
  const valid = (): Buffer => Buffer.from(JSON.stringify(VALID[pick(VALID.length)]));
  const kind = pick(1_000);
  if (kind < 1) return Buffer.alloc(MAX_FRAME_BYTES + pick(MAX_FRAME_BYTES), 0x78);
  if (kind < 3) return Buffer.from(`${'[{"a":'.repeat(pick(10_000))}1`);
  if (kind < 5)
    return Buffer.from(`{"type":"request","id":9,"method":"health","params":{"a":[${'[],'.repeat(pick(20_000))}1]}}`);
  if (kind < 300) return Buffer.from(Array.from({ length: pick(200) }, () => pick(256)));
  const frame = valid();
  if (kind < 400) return frame;
  if (kind < 600) return Buffer.concat([frame.subarray(0, pick(frame.length)), valid().subarray(pick(40))]);
  const changes = 1 + pick(4);
  for (let change = 0; change < changes; change += 1) frame[pick(frame.length)] = pick(256);
  return frame;
}

test(`${FRAMES} hostile frames leave an agent that answers and has not grown (seed ${SEED})`, async () => {
  await using agent = await AgentProcess.start(powerless);
  const pick = random(SEED);
  using host = await agent.connect();
  // What it answers is of no interest; it is read, so that all frames are looked at.
  host.socket.removeAllListeners('data').resume();
  let warmBytes = 0;
  for (let sent = 0; sent < FRAMES; sent += 1) {
    const frame = Buffer.concat([hostileFrame(pick), Buffer.from('\n')]);
    const cut = pick(frame.length);
    host.write(frame.subarray(0, cut));
    if (!host.socket.write(frame.subarray(cut))) await once(host.socket, 'drain');
    if (sent === WARM_UP_FRAMES) warmBytes = await settled(agent);
  }
  host.socket.destroy();
  const growth = (await settled(agent)) - warmBytes;
  expect(growth).toBeLessThan(MAX_GROWTH_BYTES);
  expect(agent.isRunning).toBe(true);
}, 180_000);

/** A healthy request on a new connection, answered when everything before it has been. @returns resident memory. */
async function settled(agent: AgentProcess): Promise<number> {
  using host = await agent.connect();
  await host.hello();
  for (;;) {
    // The requests of the flood may still be under way.
    const answer = await host.ask('bootId', {});
    if (answer.type === 'reply') return agent.residentBytes();
    expect(answer).toMatchObject({ code: 'busy' });
  }
}

test('frames that are cut at every byte are whole frames all the same', async () => {
  await using agent = await AgentProcess.start(powerless);
  using host = await agent.connect();
  host.socket.setNoDelay(true);
  const frames = Buffer.from(
    `\n${JSON.stringify(VALID[0])}\n${JSON.stringify(VALID[1])}\n${JSON.stringify({ ...VALID[2], id: 2 })}\n`,
  );
  for (let cut = 1; cut < frames.length; cut += 1) {
    const answers = host.next((message) => message.type === 'reply' && message.id === 2);
    host.write(frames.subarray(0, cut));
    await sent(host.socket);
    host.write(frames.subarray(cut));
    await answers;
    // How far this machine has come is told when it happens.
    const said = host.taken().filter(({ type }) => type !== 'event');
    expect(said.map(({ type }) => type)).toEqual(['welcome', 'reply']);
  }
  const last = host.next((message) => message.type === 'reply' && message.id === 2);
  for (const byte of frames) {
    host.write(Uint8Array.of(byte));
    await sent(host.socket);
  }
  await last;
});

/** Lets the bytes written so far go out by themselves. */
async function sent(socket: NodeJS.WritableStream): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.write('', () => resolve());
  });
}

test('a host that reads nothing loses its session; others are served meanwhile, and memory is bounded', async () => {
  await using agent = await AgentProcess.start(powerless);
  using deaf = await agent.connect();
  await deaf.hello();
  deaf.socket.pause();
  const request = `${JSON.stringify(VALID[3])}\n`.repeat(50);
  using other = await agent.connect();
  await other.hello();
  for (let turn = 0; turn < 200; turn += 1) {
    if (!deaf.socket.write(request)) await Promise.race([once(deaf.socket, 'drain'), other.ask('bootId', {})]);
  }
  for (;;) {
    const answer = await other.ask('bootId', {});
    if (answer.type === 'reply') break;
  }
  expect(agent.residentBytes()).toBeLessThan(3 * 2 ** 20);
  deaf.socket.resume();
  const told = await deaf.next((message) => message.type === 'error' && message.code === 'no-session');
  expect(told).toMatchObject({ type: 'error' });
  await deaf.hello('00000000000000b2');
  expect(await deaf.request('bootId', {})).toMatchObject({ bootId: expect.any(String) });
});
