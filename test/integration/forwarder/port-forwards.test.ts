/** What bounds the forwarder, on ports of this machine's loopback that the system chooses. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FORWARD_LIMITS, PortForwards } from '../../../src/forwarder/port-forwards.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const ADDRESS = '127.0.0.1';

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, ADDRESS));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** Guests' ends of tunnels: what they do with a connection is nothing. */
async function makeForwards(limits: Partial<typeof FORWARD_LIMITS>): Promise<PortForwards> {
  const path = join(await makeTempDir(), 'guest.sock');
  const guest = createServer({ allowHalfOpen: true }, (socket) => socket.write('here')).listen(path);
  await once(guest, 'listening');
  const open = async (): Promise<Socket> => {
    const socket = connect({ path, allowHalfOpen: true });
    await once(socket, 'connect');
    return socket;
  };
  const forwards = new PortForwards(open, { ...FORWARD_LIMITS, ...limits });
  onTestFinished(async () => {
    await forwards.apply([]);
    guest.close();
  });
  return forwards;
}

/** Connects, and waits for the guest's word, or for the end. */
async function client(port: number): Promise<{ readonly outcome: string; readonly socket: Socket }> {
  const socket = connect(port, ADDRESS);
  onTestFinished(() => void socket.destroy());
  const outcome = await new Promise<string>((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(String(chunk)));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
  return { outcome, socket };
}

test('more ports than may be open are told', async () => {
  const forwards = await makeForwards({ ports: 2 });
  const ports = await freePorts(3);
  const faults = await forwards.apply([{ vmName: 'a', address: ADDRESS, ports }]);
  expect(faults.map(({ fault }) => fault)).toEqual(['too-many']);
});

test('one VM’s connections leave room for those of others', async () => {
  const forwards = await makeForwards({ connections: 4, connectionsOfVm: 2 });
  const [one = 0, other = 0] = await freePorts(2);
  await forwards.apply([
    { vmName: 'a', address: ADDRESS, ports: [one] },
    { vmName: 'b', address: ADDRESS, ports: [other] },
  ]);
  const first = await client(one);
  const outcomes = [first, await client(one), await client(one), await client(other), await client(other)];
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['here', 'here', 'ECONNRESET', 'here', 'here']);
  expect((await client(other)).outcome).toBe('ECONNRESET');
  // A mere end would leave the guest its half: it may still have something to say.
  first.socket.resetAndDestroy();
  await expect.poll(async () => (await client(one)).outcome, { timeout: 10_000 }).toBe('here');
});
