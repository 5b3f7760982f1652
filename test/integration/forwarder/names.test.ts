import { decode, encode } from 'dns-packet';
import { expect, it } from 'vitest';
import { type ForwarderWorld, makeForwarderWorld } from '../../support/forwarder-world.ts';
import { describeInNamespaces, runInside, startInside } from '../../support/netns.ts';

const SERVER = '127.77.0.1';
const NAMES = [
  { name: 'calm-otter', address: '127.77.0.2' },
  { name: 'grey-heron', address: '127.77.0.3' },
];

/** Asks as a program does, over UDP first. @returns the addresses, or the error's code. */
async function resolve(world: ForwarderWorld, name: string, { port = 5377, type = 'A' } = {}): Promise<string> {
  const program = `
    const resolver = new (require('node:dns/promises').Resolver)({ timeout: 3000, tries: 1 });
    resolver.setServers(['${SERVER}:${port}']);
    resolver.resolve(${JSON.stringify(name)}, '${type}').then((found) => console.log(found.join()), ({ code }) => console.log(code));`;
  return (await runInside(world.namespace, [process.execPath, '-e', program])).stdout.trim();
}

/** Sends bytes over TCP, ends its half. @returns what comes back. */
async function overTcp(world: ForwarderWorld, bytes: Buffer): Promise<Buffer> {
  const program = `
    const socket = require('node:net').connect({ host: '${SERVER}', port: 5377, allowHalfOpen: true });
    const heard = [];
    socket.on('data', (chunk) => heard.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => console.log(Buffer.concat(heard).toString('hex')));
    socket.on('end', () => socket.destroy());
    socket.end(Buffer.from('${bytes.toString('hex')}', 'hex'));`;
  const { stdout } = await runInside(world.namespace, [process.execPath, '-e', program], { timeoutMs: 20_000 });
  return Buffer.from(stdout.trim(), 'hex');
}

function framed(...messages: readonly Buffer[]): Buffer {
  return Buffer.concat(
    messages.flatMap((message) => [Buffer.from([message.length >> 8, message.length & 0xff]), message]),
  );
}

function question(name: string, id: number): Buffer {
  return encode({ type: 'query', id, questions: [{ name, type: 'A', class: 'IN' }] });
}

/** Ids and rcodes of the replies in a stream of them. */
function repliesIn(bytes: Buffer): readonly string[] {
  const found: string[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const size = bytes.readUInt16BE(at);
    const message = bytes.subarray(at + 2, at + 2 + size);
    found.push(`${decode(message).id}: ${message.readUInt16BE(2) & 0xf}`);
    at += 2 + size;
  }
  return found;
}

describeInNamespaces('names', () => {
  it('are those of the newest order', async () => {
    const world = await makeForwarderWorld();
    expect((await world.order({ names: NAMES })).dnsPorts).toEqual([53, 5377]);
    expect(await resolve(world, 'calm-otter.vm')).toBe('127.77.0.2');
    expect(await resolve(world, 'www.grey-heron.vm', { port: 53 })).toBe('127.77.0.3');
    expect(await resolve(world, 'calm-otter.vm', { type: 'AAAA' })).toBe('ENODATA');
    expect(await resolve(world, 'nobody.vm')).toBe('ENOTFOUND');
    expect(await resolve(world, 'example.test')).toBe('EREFUSED');
    await world.order({ names: [{ name: 'calm-otter', address: '127.77.0.9' }] });
    expect(await resolve(world, 'calm-otter.vm')).toBe('127.77.0.9');
    expect(await resolve(world, 'grey-heron.vm')).toBe('ENOTFOUND');
  });

  it('that make an answer too long for a datagram are asked for again over TCP', async () => {
    const world = await makeForwarderWorld();
    await world.order({ names: NAMES });
    const long = `${`${'a'.repeat(60)}.`.repeat(3)}${'b'.repeat(45)}.calm-otter.vm`;
    expect(await resolve(world, long)).toBe('127.77.0.2');
  });

  it('are answered where the usual port is another’s', async () => {
    const world = await makeForwarderWorld();
    await using stack = new AsyncDisposableStack();
    const other = `require('node:dgram').createSocket('udp4').bind(53, '0.0.0.0', () => console.log('up'))`;
    await startInside(world.namespace, [process.execPath, '-e', other], stack);
    expect((await world.order({ names: NAMES })).dnsPorts).toEqual([5377]);
    expect(await resolve(world, 'calm-otter.vm')).toBe('127.77.0.2');
  });
});

describeInNamespaces('over TCP', () => {
  it('several questions on one connection are answered in turn, also by half', async () => {
    const world = await makeForwarderWorld();
    await world.order({ names: NAMES });
    const asked = framed(question('calm-otter.vm', 1), question('nobody.vm', 2), question('example.test', 3));
    expect(repliesIn(await overTcp(world, asked))).toEqual(['1: 0', '2: 3', '3: 5']);
    // Cut in the middle of the last one: it is no question, and the others are.
    expect(repliesIn(await overTcp(world, asked.subarray(0, -5)))).toEqual(['1: 0', '2: 3']);
  });

  it('nonsense is let go of, and the next one is answered', async () => {
    const world = await makeForwarderWorld();
    await world.order({ names: NAMES });
    for (const nonsense of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(9_000, 0xff), Buffer.from([0, 0, 0])]) {
      expect(await overTcp(world, nonsense)).toEqual(Buffer.alloc(0));
    }
    expect(repliesIn(await overTcp(world, framed(Buffer.alloc(12), question('calm-otter.vm', 9))))).toEqual([
      '0: 1',
      '9: 0',
    ]);
  });
});
