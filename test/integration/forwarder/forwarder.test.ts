import { createHash, randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { buffer, text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { makeForwarderWorld } from '../../support/forwarder-world.ts';
import { connectInside, describeInNamespaces, runInside, startInside } from '../../support/netns.ts';

const OTTER = { vmName: 'calm-otter', address: '127.77.0.2' };
const HERON = { vmName: 'grey-heron', address: '127.77.0.3' };
/** How long what was told is waited for; nothing here sleeps. */
const SOON = { timeout: 20_000 };

describeInNamespaces('published ports', () => {
  it('appear at each VM’s own address while they are ordered, the same one of two VMs at once', async () => {
    const world = await makeForwarderWorld();
    const both = [
      { ...OTTER, ports: [22, 3000] },
      { ...HERON, ports: [3000] },
    ];
    expect(await world.order({ forwards: both })).toMatchObject({ faults: [] });
    expect(await world.talk(OTTER.address, 3000)).toBe('calm-otter 3000');
    expect(await world.talk(HERON.address, 3000)).toBe('grey-heron 3000');
    expect(await world.talk(OTTER.address, 22)).toBe('calm-otter 22');
    expect(await world.talk(HERON.address, 22)).toBe('ECONNREFUSED');

    await world.order({ forwards: [{ ...OTTER, ports: [22] }] });
    expect(await world.talk(OTTER.address, 3000)).toBe('ECONNREFUSED');
    expect(await world.talk(HERON.address, 3000)).toBe('ECONNREFUSED');
    expect(await world.talk(OTTER.address, 22)).toBe('calm-otter 22');
  });

  it('are bound on their own address of loopback alone', async () => {
    const world = await makeForwarderWorld();
    await world.order({ forwards: [{ ...OTTER, ports: [3000] }] });
    const { stdout } = await runInside(world.namespace, ['cat', '/proc/net/tcp', '/proc/net/tcp6', '/proc/net/udp']);
    const bound = [...stdout.matchAll(/^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) 0+:0000/gm)].map(
      ([, address = '', port = '']) => `${[...address.matchAll(/../g)].toReversed().map(hex).join('.')}:${hex([port])}`,
    );
    const expected = ['127.77.0.1:53', '127.77.0.1:53', '127.77.0.1:5377', '127.77.0.1:5377', '127.77.0.2:3000'];
    expect(bound.toSorted()).toEqual(expected);
  });

  it('let either side end before the other', async () => {
    const world = await makeForwarderWorld();
    world.serve((_vm, _port, connection) => {
      void text(connection).then((heard) => connection.end(`heard ${heard}`));
    });
    await world.order({ forwards: [{ ...OTTER, ports: [3000] }] });
    expect(await world.talk(OTTER.address, 3000, 'and out')).toBe('heard and out');
  });

  it('carry megabytes both ways, however slowly the other side takes them', async () => {
    const world = await makeForwarderWorld();
    const sent = randomBytes(4 * 2 ** 20);
    world.serve((_vm, _port, connection) => {
      connection.write(sent);
      void buffer(connection).then((heard) => connection.end(createHash('sha256').update(heard).digest('hex')));
    });
    await world.order({ forwards: [{ ...OTTER, ports: [3000] }] });
    // Writes all it has, waits, and only then begins to read.
    const program = `
      const socket = require('node:net').connect({ host: '${OTTER.address}', port: 3000, allowHalfOpen: true });
      socket.pause();
      const sent = Buffer.alloc(${8 * 2 ** 20}, 'x');
      const hash = require('node:crypto').createHash('sha256');
      let last = Buffer.alloc(0);
      socket.on('data', (chunk) => { last = Buffer.concat([last, chunk]); });
      socket.on('end', () => {
        console.log(hash.update(last.subarray(0, -64)).digest('hex'), String(last.subarray(-64)));
        socket.destroy();
      });
      socket.write(sent.subarray(0, 1000), () => setTimeout(() => socket.resume(), 200));
      socket.end(sent.subarray(1000));`;
    const { stdout } = await runInside(world.namespace, [process.execPath, '-e', program], { timeoutMs: 30_000 });
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    expect(stdout.trim()).toBe(`${digest(sent)} ${digest(Buffer.alloc(8 * 2 ** 20, 'x'))}`);
  });

  it('on which the guest refuses look as if nobody listened', async () => {
    const world = await makeForwarderWorld();
    await world.order({ forwards: [{ ...OTTER, vmName: 'absent', ports: [3000] }] });
    expect(await world.talk(OTTER.address, 3000)).toBe('ECONNRESET');
  });

  it('keep their connections when the guest listens no more', async () => {
    const world = await makeForwarderWorld();
    const { promise: asked, resolve } = Promise.withResolvers<() => void>();
    world.serve((_vm, _port, connection) => resolve(() => connection.end('still here')));
    await world.order({ forwards: [{ ...OTTER, ports: [3000] }] });
    const heard = world.talk(OTTER.address, 3000);
    const answer = await asked;
    await world.order({});
    answer();
    expect(await heard).toBe('still here');
    expect(await world.talk(OTTER.address, 3000)).toBe('ECONNREFUSED');
  });

  it('that another program has are told one by one, and taken once they are free', async () => {
    const world = await makeForwarderWorld();
    const stack = new AsyncDisposableStack();
    const other = `require('node:net').createServer().listen(3000, '${OTTER.address}', () => console.log('up'))`;
    const { child } = await startInside(world.namespace, [process.execPath, '-e', other], stack);
    const forwards = [{ ...OTTER, ports: [3000, 3001] }];
    expect((await world.order({ forwards })).faults).toEqual([
      { address: OTTER.address, port: 3000, fault: 'address-in-use' },
    ]);
    expect(await world.talk(OTTER.address, 3001)).toBe('calm-otter 3001');
    child.kill('SIGKILL');
    await stack.disposeAsync();
    expect((await world.order({ forwards })).faults).toEqual([]);
    expect(await world.talk(OTTER.address, 3000)).toBe('calm-otter 3000');
  });

  it('go to the VM that has the address now', async () => {
    const world = await makeForwarderWorld();
    await world.order({ forwards: [{ ...OTTER, ports: [3000] }] });
    expect((await world.order({ forwards: [{ ...OTTER, vmName: 'next', ports: [3000] }] })).faults).toEqual([]);
    expect(await world.talk(OTTER.address, 3000)).toBe('next 3000');
  });
});

describeInNamespaces('a forwarder', () => {
  it('waits as a small program until it is needed, and again when it is not', async () => {
    const world = await makeForwarderWorld();
    const waiting = ['flock forwarder.gate', 'flock forwarder.spare.gate'];
    expect(await world.processes()).toEqual(waiting);
    await world.order({ forwards: [{ ...OTTER, ports: [3000] }] });
    expect(await world.processes()).toEqual(['flock forwarder.spare.gate', 'node forwarder.gate']);
    world.link.rest();
    await expect.poll(world.processes, SOON).toEqual(waiting);
    expect(await connectInside(world.namespace, { address: OTTER.address, port: 3000 })).toBe('ECONNREFUSED');

    await world.order({ forwards: [{ ...OTTER, ports: [3000] }] });
    expect(await world.talk(OTTER.address, 3000)).toBe('calm-otter 3000');
    expect(await world.processes()).toEqual(['flock forwarder.spare.gate', 'node forwarder.gate']);
    expect(world.logged).toEqual([]);
  });

  it('is called back when it is needed again before it has gone to rest', async () => {
    const world = await makeForwarderWorld();
    await world.order({});
    for (let round = 0; round < 3; round += 1) {
      world.link.rest();
      await world.order({ forwards: [{ ...OTTER, ports: [3000 + round] }] });
      expect(await world.talk(OTTER.address, 3000 + round)).toBe(`calm-otter ${3000 + round}`);
    }
    expect(world.logged).toEqual([]);
  });

  it('that crashes is replaced once by the one in reserve, with the same order', async () => {
    const world = await makeForwarderWorld();
    await world.order({ forwards: [{ ...OTTER, ports: [3000] }] });
    await world.crash();
    await expect.poll(() => world.talk(OTTER.address, 3000), SOON).toBe('calm-otter 3000');
    expect(await world.processes()).toEqual(['node forwarder.spare.gate']);
    await world.crash();
    await expect.poll(() => world.link.state.kind, SOON).toBe('gone');
    await world.link.reported(1000, AbortSignal.timeout(1_000));
    expect(world.logged.at(-1)).toContain('Nothing of the guests is published');
    expect(await world.talk(OTTER.address, 3000)).toBe('ECONNREFUSED');
  });

  it('hears its orders at a socket that is ours alone', async () => {
    const world = await makeForwarderWorld();
    await world.order({});
    expect((await stat(world.paths.forwarderSocket)).mode & 0o777).toBe(0o600);
    for (const gate of [world.paths.forwarderGate, world.paths.forwarderSpareGate]) {
      expect((await stat(gate)).mode & 0o777).toBe(0o600);
    }
  });
});

/** Hexadecimal digits as a number. */
function hex([digits = '']: Iterable<string>): number {
  return Number.parseInt(digits, 16);
}
