import { afterAll, beforeAll, expect, it } from 'vitest';
import { macAddressOf } from '../../../src/core/networks/address-plan.ts';
import type { NetworkPort } from '../../../src/core/networks/ports.ts';
import {
  askInside,
  connectInside,
  echoInside,
  describeInNamespaces,
  ipBatch,
  joinByVeth,
  listenInside,
  makeNamespace,
  runInside,
  serveNamesInside,
  talkInside,
} from '../../support/netns.ts';
import { type DrivenNetwork, driveService } from '../../support/network-service.ts';

/*
 * guests "a", "b", "c" ── bridge ─ router ─ veth ─ outside: 198.51.100.1 (a name server too), 192.0.2.99 (what it answers), 203.0.113.5
 */
const OUTSIDE = '198.51.100.1';
const NAMED = '192.0.2.99';
const OTHER = '203.0.113.5';
const REFUSED_AT_ONCE = 'EHOSTUNREACH';
const setting = { nameServer: OUTSIDE, cidr: '10.77.0.0/20', tableName: 'banger_0a1b2c3d' };

function portOf(host: number, egress: string): NetworkPort {
  const address = `10.77.0.${host}`;
  return { tapName: `tap-${host}`, address, macAddress: macAddressOf(address), egress };
}

describeInNamespaces('what a guest may reach', () => {
  const stack = new AsyncDisposableStack();
  const [a, b, c] = [portOf(2, 'none'), portOf(3, 'none'), portOf(4, 'none')] as const;
  const guests = new Map<string, string>();
  let router = '';
  let network: DrivenNetwork;

  const from = (port: NetworkPort): string => guests.get(port.tapName) ?? '';
  const reach = (port: NetworkPort, address: string, number = 80): Promise<string> =>
    connectInside(from(port), { address, port: number });
  const ask = (port: NetworkPort, name: string): Promise<string> => askInside(from(port), OUTSIDE, name);
  const rules = async (): Promise<string> => (await runInside(router, ['nft', 'list', 'ruleset'])).stdout;

  async function makeGuest(port: NetworkPort): Promise<void> {
    const guest = await makeNamespace(stack);
    guests.set(port.tapName, guest);
    await ipBatch(router, `link add ${port.tapName} type veth peer name eth0 netns ${guest}`);
    await ipBatch(
      guest,
      `link set dev eth0 address ${port.macAddress} up`,
      `addr add ${port.address}/20 dev eth0`,
      'route add default via 10.77.0.1',
    );
    await network.attach(port);
    await listenInside(guest, { address: '0.0.0.0', port: 80 }, stack);
  }

  beforeAll(async () => {
    router = await makeNamespace(stack);
    const outside = await makeNamespace(stack);
    await joinByVeth(
      { name: router, device: 'up0', address: '198.51.100.2/24' },
      { name: outside, device: 'up0', address: `${OUTSIDE}/24` },
    );
    await ipBatch(router, `route add default via ${OUTSIDE}`);
    for (const address of [NAMED, OTHER, '169.254.169.254']) await ipBatch(outside, `addr add ${address}/32 dev lo`);
    await listenInside(outside, { address: '0.0.0.0', port: 80 }, stack);
    await echoInside(outside, { address: '0.0.0.0', port: 82 }, stack);
    await serveNamesInside(outside, OUTSIDE, stack);
    network = await driveService(router, setting, stack);
    for (const port of [a, b, c]) await makeGuest(port);
  });

  afterAll(() => stack.disposeAsync());

  it('is nothing with none, everything with open, at once', async () => {
    expect(await reach(a, OTHER)).toBe(REFUSED_AT_ONCE);
    await network.setEgress(a.tapName, 'open');
    expect(await reach(a, OTHER)).toBe('hello 198.51.100.2');
    expect(await ask(a, 'anything.example.test')).toBe(NAMED);
    await network.setEgress(a.tapName, 'none');
    expect(await reach(a, OTHER)).toBe(REFUSED_AT_ONCE);
    expect(await ask(a, 'anything.example.test')).not.toBe(NAMED);
  });

  it('is the networks that are allowed and no other, nor what no guest reaches', async () => {
    // One network within another, and one that holds the metadata service.
    await network.setEgress(a.tapName, 'allow:203.0.113.0/24,203.0.113.5,168.0.0.0/7');
    await network.setEgress(b.tapName, 'allow:192.0.2.0/24');
    expect(await reach(a, OTHER)).toBe('hello 198.51.100.2');
    expect(await reach(a, NAMED)).toBe(REFUSED_AT_ONCE);
    expect(await reach(a, OUTSIDE)).toBe(REFUSED_AT_ONCE);
    expect(await reach(a, '169.254.169.254')).toBe(REFUSED_AT_ONCE);
    expect(await reach(b, NAMED)).toBe('hello 198.51.100.2');
    expect(await reach(b, OTHER)).toBe(REFUSED_AT_ONCE);
  });

  it('is what an allowed name stands for, once the guest has asked for it', async () => {
    await network.setEgress(a.tapName, 'allow:deb.example.test,*.cdn.example.test');
    expect(await reach(a, NAMED)).toBe(REFUSED_AT_ONCE);
    expect(await ask(a, 'deb.example.test')).toBe(NAMED);
    expect(await reach(a, NAMED)).toBe('hello 198.51.100.2');
    expect(await reach(a, OTHER)).toBe(REFUSED_AT_ONCE);
    // What one guest has learned is not another's.
    await network.setEgress(b.tapName, 'allow:deb.example.test');
    expect(await reach(b, NAMED)).toBe(REFUSED_AT_ONCE);
  });

  it('has names below a name, in any case, and over TCP where an answer is cut', async () => {
    await network.setEgress(a.tapName, 'none');
    await network.setEgress(a.tapName, 'allow:*.cdn.example.test,long.example.test');
    expect(await ask(a, 'x.y.CDN.example.test')).toBe(NAMED);
    expect(await ask(a, 'long.example.test')).toBe(NAMED);
    expect(await ask(a, 'cdn.example.test')).toBe('ENOTFOUND');
    expect(await ask(a, 'evilcdn.example.test')).toBe('ENOTFOUND');
  });

  it('tells of a name that is not allowed that there is none, and passes the question to nobody', async () => {
    await network.setEgress(a.tapName, 'allow:deb.example.test');
    expect(await ask(a, 'secret.attacker.example')).toBe('ENOTFOUND');
    await network.told(({ told, tapName }) => told === 'change' && tapName === a.tapName);
    expect(await network.observe(a.tapName)).toMatchObject({ lastRefused: 'the name secret.attacker.example' });
    // The way around: the name server itself, and the gate's own port.
    expect(await reach(a, OUTSIDE, 53)).not.toBe(REFUSED_AT_ONCE);
    expect(await reach(a, '10.77.0.1', 5378)).toBe('timeout');
  });

  it('outlives the changes of others and a daemon that is killed, and ends with the policy', async () => {
    await network.setEgress(a.tapName, 'allow:deb.example.test');
    await ask(a, 'deb.example.test');
    await network.setEgress(c.tapName, 'open');
    expect(await reach(a, NAMED)).toBe('hello 198.51.100.2');
    const refused = (await network.observe(a.tapName))?.refusals ?? 0;
    expect(refused).toBeGreaterThan(0);
    await network.kill();
    expect(await reach(a, NAMED)).toBe('hello 198.51.100.2');
    expect(await reach(a, OTHER)).toBe(REFUSED_AT_ONCE);
    network = await driveService(router, setting, stack);
    expect(await network.restore([{ ...a, egress: 'allow:deb.example.test' }, b, c])).toEqual([]);
    expect(await reach(a, NAMED)).toBe('hello 198.51.100.2');
    expect((await network.observe(a.tapName))?.refusals).toBeGreaterThan(refused);
    await network.setEgress(a.tapName, 'allow:other.example.test');
    expect(await reach(a, NAMED)).toBe(REFUSED_AT_ONCE);
  });

  /** The guest's open connection goes on trying; the first packet of it that is refused is told of. */
  const refusedOnPort = async (port: NetworkPort, what: string): Promise<void> => {
    do await network.told(({ told, tapName }) => told === 'change' && tapName === port.tapName);
    while ((await network.observe(port.tapName))?.lastRefused !== what);
  };

  it.each(['none', 'allow:192.0.2.0/24'])(
    'ends for a connection that is open when the policy becomes %s',
    async (next) => {
      await network.setEgress(a.tapName, 'open');
      await talkInside(from(a), { address: OTHER, port: 82 }, stack);
      await network.setEgress(a.tapName, next);
      await refusedOnPort(a, `tcp ${OTHER}:82`);
    },
  );

  it.each([
    ['a network', 'allow:203.0.113.0/24', OTHER],
    ['a name', 'allow:deb.example.test', NAMED],
    ['everything', 'open', OTHER],
  ])(
    'goes on for a connection to what %s lets through, however often the rules are replaced',
    async (_what, egress, target) => {
      await network.setEgress(a.tapName, egress);
      await ask(a, 'deb.example.test');
      const talk = await talkInside(from(a), { address: target, port: 82 }, stack);
      for (const changed of ['open', 'none', 'open', 'none', 'open', 'none'])
        await network.setEgress(c.tapName, changed);
      // Had it ended, it would have by the time a connection of its own is through.
      expect(await reach(a, target)).toBe('hello 198.51.100.2');
      expect(await Promise.race([talk.ended, Promise.resolve('talking')])).toBe('talking');
      // What is dead sends nothing that could be refused.
      await network.setEgress(a.tapName, 'none');
      await refusedOnPort(a, `tcp ${target}:82`);
    },
  );

  it('counts what it refuses, and tells of it', async () => {
    await network.setEgress(b.tapName, 'none');
    const before = (await network.observe(b.tapName))?.refusals ?? 0;
    expect(await reach(b, OTHER, 443)).toBe(REFUSED_AT_ONCE);
    await network.told(({ told, tapName }) => told === 'change' && tapName === b.tapName);
    const seen = await network.observe(b.tapName);
    expect(seen?.refusals).toBeGreaterThan(before);
    expect(seen?.lastRefused).toBe(`tcp ${OTHER}:443`);
    // The machine's own services too.
    expect(await reach(b, '10.77.0.1')).toBe('timeout');
    expect((await network.observe(b.tapName))?.refusals).toBeGreaterThan(seen?.refusals ?? 0);
  });

  it('is its peer, in both directions, and no third guest', async () => {
    for (const port of [a, b, c]) await network.setEgress(port.tapName, 'none');
    expect(await reach(a, b.address)).toBe(REFUSED_AT_ONCE);
    await network.setPeers([[a.address, b.address]]);
    expect(await reach(a, b.address)).toBe(`hello ${a.address}`);
    expect(await reach(b, a.address)).toBe(`hello ${b.address}`);
    expect(await reach(c, a.address)).toBe(REFUSED_AT_ONCE);
    expect(await reach(a, c.address)).toBe(REFUSED_AT_ONCE);
    expect(await reach(a, OTHER)).toBe(REFUSED_AT_ONCE);
    await network.setPeers([]);
    expect(await reach(a, b.address)).toBe(REFUSED_AT_ONCE);
    expect(await reach(b, a.address)).toBe(REFUSED_AT_ONCE);
  });

  it.each([
    ['flushed', ['flush', 'ruleset']],
    ['deleted', ['delete', 'table', 'netdev', setting.tableName]],
    ['emptied', ['flush', 'chain', 'inet', setting.tableName, 'from_guests']],
    ['added to', ['insert', 'rule', 'inet', setting.tableName, 'from_guests', 'accept']],
  ])('is put back where the rules were %s by another', async (_what, words) => {
    const before = await rules();
    await runInside(router, ['nft', ...words]);
    await network.told(({ message }) => message?.includes('put back') ?? false);
    expect(withoutCounts(await rules())).toBe(withoutCounts(before));
    expect(await reach(c, OTHER)).toBe(REFUSED_AT_ONCE);
  });

  it('is told to be nothing where the guest’s interface was deleted; the others keep theirs', async () => {
    await network.setEgress(b.tapName, 'open');
    await runInside(router, ['ip', 'link', 'delete', a.tapName]);
    await network.told(({ message }) => message?.includes('TAP was deleted') ?? false);
    expect(await network.observe(a.tapName)).toMatchObject({
      problem: expect.stringContaining('was deleted') as string,
    });
    expect((await network.observe(b.tapName))?.problem).toBeUndefined();
    expect(await reach(b, OTHER)).toBe('hello 198.51.100.2');
    expect(await rules()).not.toContain(`"${a.tapName}"`);
    await network.detach(a.tapName);
  });
});

/** Counts grow meanwhile, and addresses that were learned grow old. */
function withoutCounts(text: string): string {
  return text.replaceAll(/packets \d+ bytes \d+/g, '').replaceAll(/expires \w+/g, '');
}
