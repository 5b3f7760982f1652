import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bridgeMacAddress, joinBridgeBatch, portAddressBatch } from '../../../src/adapters/host-network/commands.ts';
import { planAddresses, planBridge, macAddressOf } from '../../../src/core/networks/address-plan.ts';
import { planRemoval, planRuleset } from '../../../src/core/networks/firewall-plan.ts';
import type { NetworkPort } from '../../../src/core/networks/ports.ts';
import { driveNetwork } from '../../support/drive-network.ts';
import {
  askInside,
  connectInside,
  describeInNamespaces,
  ipBatch,
  joinByVeth,
  listenInside,
  makeNamespace,
  receiveInside,
  runInside,
  sendInside,
  serveNamesInside,
} from '../../support/netns.ts';

/*
 * guest "open" (NAT) ──┐
 *                      ├─ bridge ─ router ─ veth ─ outside (198.51.100.1, a metadata service, a name server)
 * guest "shut"       ──┘
 */
const bridge = planBridge(planAddresses('10.77.0.0/20'), 'banger0');
const options = {
  tableName: 'banger_0a1b2c3d',
  nameServers: ['169.254.1.1'],
  gatePort: 5378,
  refusedAddresses: ['198.51.100.9'],
  throughPasta: false,
};
const OUTSIDE = '198.51.100.1';
const UPLINK = '198.51.100.2';
const REFUSED_AT_ONCE = 'EHOSTUNREACH';

function portOf(tapName: string, address: string, egress: string): NetworkPort {
  return { tapName, address, macAddress: macAddressOf(address), egress };
}

const openPort = portOf('tap-open', '10.77.0.2', 'open');
const shutPort = portOf('tap-shut', '10.77.0.3', 'none');

describeInNamespaces('the firewall, with real sockets', () => {
  const stack = new AsyncDisposableStack();
  let router = '';
  let outside = '';
  let open = '';
  let shut = '';

  async function applyRules(ports: readonly NetworkPort[]): Promise<void> {
    await runInside(router, ['nft', '-f', '-'], { input: planRuleset(bridge, { ports, peers: [] }, options) });
  }

  /** A guest as it looks from the router: an interface with a TAP's name, one end of a pair. */
  async function joinGuest(port: NetworkPort): Promise<string> {
    const guest = await makeNamespace(stack);
    await ipBatch(router, `link add ${port.tapName} type veth peer name eth0 netns ${guest}`);
    await ipBatch(router, ...joinBridgeBatch(port, bridge.bridgeName).trim().split('\n'));
    await runInside(router, ['bridge', '-batch', '-'], { input: portAddressBatch(port) });
    await ipBatch(
      guest,
      `link set dev eth0 address ${port.macAddress} up`,
      `addr add ${port.address}/${bridge.prefixLength} dev eth0`,
      `route add default via ${bridge.gateway}`,
    );
    return guest;
  }

  beforeAll(async () => {
    router = await makeNamespace(stack);
    outside = await makeNamespace(stack);
    await joinByVeth(
      { name: router, device: 'up0', address: `${UPLINK}/24` },
      { name: outside, device: 'up0', address: `${OUTSIDE}/24` },
    );
    await ipBatch(router, `route add default via ${OUTSIDE}`);
    for (const address of ['169.254.169.254', '169.254.1.1', '198.51.100.9']) {
      await ipBatch(outside, `addr add ${address}/32 dev lo`);
    }
    expect(await driveNetwork(router, [['ensureBridge', bridge]])).toEqual([{ ok: null }]);
    open = await joinGuest(openPort);
    shut = await joinGuest(shutPort);
    await runInside(router, ['nft', 'add', 'table', 'inet', 'other']);
    await runInside(router, [
      'nft',
      'add',
      'set',
      'inet',
      'other',
      'kept',
      '{ type ipv4_addr; elements = { 192.0.2.7 }; }',
    ]);
    await applyRules([openPort, shutPort]);
    await listenInside(outside, { address: '0.0.0.0', port: 80 }, stack);
    await serveNamesInside(outside, '169.254.1.1', stack);
    for (const name of [router, open, shut]) await listenInside(name, { address: '0.0.0.0', port: 80 }, stack);
  });

  afterAll(() => stack.disposeAsync());

  it('lets a guest with NAT out, under the router’s address', async () => {
    expect(await connectInside(open, { address: OUTSIDE, port: 80 })).toBe(`hello ${UPLINK}`);
  });

  it('refuses a guest without NAT at once', async () => {
    expect(await connectInside(shut, { address: OUTSIDE, port: 80 })).toBe(REFUSED_AT_ONCE);
  });

  it.each([bridge.gateway, UPLINK])('keeps guests from the services of the machine itself, on %s', async (address) => {
    for (const guest of [open, shut]) expect(await connectInside(guest, { address, port: 80 })).toBe('timeout');
  });

  it('lets the machine itself reach its guests', async () => {
    for (const port of [openPort, shutPort]) {
      expect(await connectInside(router, { address: port.address, port: 80 })).toBe(`hello ${bridge.gateway}`);
    }
  });

  it('keeps guests from metadata services, which the machine itself may ask', async () => {
    expect(await connectInside(router, { address: '169.254.169.254', port: 80 })).toBe(`hello ${UPLINK}`);
    expect(await connectInside(open, { address: '169.254.169.254', port: 80 })).toBe(REFUSED_AT_ONCE);
  });

  it('opens port 53 of the name server to guests with NAT, and nothing else of it', async () => {
    expect(await askInside(open, '169.254.1.1')).toBe('192.0.2.99');
    expect(await connectInside(open, { address: '169.254.1.1', port: 80 })).toBe(REFUSED_AT_ONCE);
    expect(await askInside(shut, '169.254.1.1')).not.toBe('192.0.2.99');
  });

  it('refuses the host’s own addresses behind pasta', async () => {
    expect(await connectInside(router, { address: '198.51.100.9', port: 80 })).toBe(`hello ${UPLINK}`);
    expect(await connectInside(open, { address: '198.51.100.9', port: 80 })).toBe(REFUSED_AT_ONCE);
  });

  it('lets nobody outside begin a connection to a guest', async () => {
    await ipBatch(outside, `route add ${bridge.cidr} via ${UPLINK}`);
    expect(await connectInside(outside, { address: openPort.address, port: 80 })).toBe('timeout');
    await ipBatch(outside, `route del ${bridge.cidr}`);
  });

  describe('what a guest sends under another’s name', () => {
    const SINK = { address: OUTSIDE, port: 99 };
    let arrived: AsyncIterator<string>;

    /** Our rules without the check of each TAP: shows that a test's attack would work. */
    async function applyWithoutIngress(): Promise<void> {
      const text = planRuleset(bridge, { ports: [openPort, shutPort], peers: [] }, options);
      const weak = text.replaceAll(/ {2}chain from_tap_\w+ \{\n.*?\n {2}\}\n/gs, '');
      expect(weak).not.toContain('ingress');
      await runInside(router, ['nft', '-f', '-'], { input: weak });
    }

    /** What arrives next; packets of one way keep their order, so a text that is passed over was dropped. */
    async function nextArrival(): Promise<unknown> {
      return (await arrived.next()).value;
    }

    beforeAll(async () => {
      arrived = await receiveInside(outside, { ...SINK, address: '0.0.0.0' }, stack);
    });

    it('is dropped where the address is not its own', async () => {
      await ipBatch(shut, `addr add ${openPort.address}/32 dev eth0`);
      await applyWithoutIngress();
      await sendInside(shut, { ...SINK, from: openPort.address, text: 'borrowed, without the rule' });
      expect(await nextArrival()).toBe('borrowed, without the rule');
      await applyRules([openPort, shutPort]);
      await sendInside(shut, { ...SINK, from: openPort.address, text: 'borrowed' });
      await sendInside(open, { ...SINK, text: 'own' });
      expect(await nextArrival()).toBe('own');
      await ipBatch(shut, `addr del ${openPort.address}/32 dev eth0`);
    });

    it('is dropped where the MAC address is not its own', async () => {
      const gateway = `${bridge.gateway} lladdr ${bridgeMacAddress(bridge)}`;
      const changeMac = (macAddress: string): Promise<void> =>
        ipBatch(open, `link set dev eth0 address ${macAddress}`, `neigh replace ${gateway} nud permanent dev eth0`);
      await changeMac('02:62:0a:4d:00:09');
      await applyWithoutIngress();
      await sendInside(open, { ...SINK, text: 'borrowed, without the rule' });
      expect(await nextArrival()).toBe('borrowed, without the rule');
      await applyRules([openPort, shutPort]);
      await sendInside(open, { ...SINK, text: 'borrowed' });
      await changeMac(openPort.macAddress);
      await sendInside(open, { ...SINK, text: 'own' });
      expect(await nextArrival()).toBe('own');
      await ipBatch(open, `neigh del ${bridge.gateway} dev eth0`);
    });
  });

  it.each([
    ['address', shutPort.macAddress],
    ['address and MAC', openPort.macAddress],
  ])('sends a guest’s packets to that guest, whoever asks by ARP under its %s', async (_what, macAddress) => {
    await ipBatch(
      shut,
      `link set dev eth0 address ${macAddress}`,
      `addr add ${openPort.address}/32 dev eth0`,
      'neigh flush dev eth0',
    );
    // The question for the gateway's MAC tells the borrowed pair to whoever learns from questions.
    await sendInside(shut, { address: bridge.gateway, port: 99, from: openPort.address, text: 'lost' });
    await sendInside(shut, { address: '10.77.0.77', port: 99, from: openPort.address, text: 'lost' });
    expect(await connectInside(router, { address: openPort.address, port: 80 })).toBe(`hello ${bridge.gateway}`);
    const neighbours = await runInside(router, ['ip', 'neigh', 'show', 'to', openPort.address]);
    expect(neighbours.stdout).toContain(openPort.macAddress);
    const { stdout } = await runInside(router, ['bridge', 'fdb', 'show', 'brport', shutPort.tapName]);
    expect(stdout).toContain(shutPort.macAddress);
    expect(stdout).not.toContain(openPort.macAddress);
    await ipBatch(
      shut,
      `addr del ${openPort.address}/32 dev eth0`,
      `link set dev eth0 address ${shutPort.macAddress}`,
      'neigh flush dev eth0',
    );
  });

  it('hears no ARP from an address that is not the guest’s', async () => {
    const borrowed = '10.77.0.77';
    const heard = async (): Promise<string> =>
      (await runInside(router, ['ip', 'neigh', 'show', 'to', borrowed])).stdout;
    await ipBatch(shut, `addr add ${borrowed}/32 dev eth0`);
    const ask = async (): Promise<void> => {
      await ipBatch(shut, 'neigh flush dev eth0');
      await sendInside(shut, { address: bridge.gateway, port: 99, from: borrowed, text: 'who has the gateway' });
      // What comes after it on the same way has passed, so it has too.
      expect(await connectInside(router, { address: shutPort.address, port: 80 })).toBe(`hello ${bridge.gateway}`);
    };
    await runInside(router, ['nft', '-f', '-'], { input: planRemoval(options.tableName) });
    await ask();
    expect(await heard()).toContain(shutPort.macAddress);
    await ipBatch(router, 'neigh flush dev banger0');
    await applyRules([openPort, shutPort]);
    await ask();
    expect(await heard()).not.toContain(shutPort.macAddress);
    await ipBatch(shut, `addr del ${borrowed}/32 dev eth0`, 'neigh flush dev eth0');
  });

  it('drops IPv6 from guests', async () => {
    await ipBatch(router, `addr add fd00:77::1/64 dev ${bridge.bridgeName} nodad`);
    await ipBatch(open, `addr add fd00:77::2/64 dev eth0 nodad`);
    await listenInside(router, { address: 'fd00:77::1', port: 81 }, stack);
    await ipBatch(open, `neigh replace fd00:77::1 lladdr ${bridgeMacAddress(bridge)} nud permanent dev eth0`);
    await runInside(router, ['nft', '-f', '-'], { input: planRemoval(options.tableName) });
    expect(await connectInside(open, { address: 'fd00:77::1', port: 81 })).toBe('hello fd00:77::2');
    await applyRules([openPort, shutPort]);
    expect(await connectInside(open, { address: 'fd00:77::1', port: 81 })).toBe('timeout');
  });

  it('takes NAT away and gives it, and leaves other tables as they are', async () => {
    const other = await runInside(router, ['nft', 'list', 'table', 'inet', 'other']);
    await applyRules([
      { ...openPort, egress: 'none' },
      { ...shutPort, egress: 'open' },
    ]);
    expect(await connectInside(open, { address: OUTSIDE, port: 80 })).toBe(REFUSED_AT_ONCE);
    expect(await connectInside(shut, { address: OUTSIDE, port: 80 })).toBe(`hello ${UPLINK}`);
    await applyRules([openPort, shutPort]);
    expect(await connectInside(open, { address: OUTSIDE, port: 80 })).toBe(`hello ${UPLINK}`);
    expect((await runInside(router, ['nft', 'list', 'table', 'inet', 'other'])).stdout).toBe(other.stdout);
  });

  it('replaces the table whole or not at all', async () => {
    const listed = async (): Promise<string> => (await runInside(router, ['nft', 'list', 'ruleset'])).stdout;
    const before = await listed();
    const broken = planRuleset(bridge, { ports: [], peers: [] }, options).replace(/}\n$/, '  nonsense\n}\n');
    await expect(runInside(router, ['nft', '-f', '-'], { input: broken })).rejects.toThrow(/syntax error/);
    expect(await listed()).toBe(before);
    await applyRules([openPort, shutPort]);
    expect(await listed()).toBe(before);
  });

  it('leaves alone what neither comes from a guest nor goes to one', async () => {
    expect(await connectInside(outside, { address: UPLINK, port: 80 })).toBe(`hello ${OUTSIDE}`);
    const lan = await makeNamespace(stack);
    await joinByVeth(
      { name: router, device: 'lan0', address: '192.0.2.1/24' },
      { name: lan, device: 'lan0', address: '192.0.2.2/24' },
    );
    await ipBatch(lan, 'route add default via 192.0.2.1');
    await ipBatch(outside, `route add 192.0.2.0/24 via ${UPLINK}`);
    expect(await connectInside(lan, { address: OUTSIDE, port: 80 })).toBe('hello 192.0.2.2');
  });

  it('keeps guests from what the machine publishes for others, as a container’s port is', async () => {
    const publish = `table ip published {
      chain prerouting {
        type nat hook prerouting priority dstnat
        tcp dport 8080 dnat to ${OUTSIDE}:80
      }
    }`;
    await runInside(router, ['nft', '-f', '-'], { input: publish });
    expect(await connectInside(open, { address: bridge.gateway, port: 8080 })).toBe(REFUSED_AT_ONCE);
    await runInside(router, ['nft', 'delete', 'table', 'ip', 'published']);
  });

  it('keeps guests from each other, on the bridge and by way of the router', async () => {
    const to = { address: shutPort.address, port: 99 };
    const arrived = await receiveInside(shut, { ...to, address: '0.0.0.0' }, stack);
    await sendInside(open, { ...to, text: 'on the bridge' });
    expect(await connectInside(open, { address: shutPort.address, port: 80 })).toBe(REFUSED_AT_ONCE);
    await ipBatch(open, `route add ${shutPort.address}/32 via ${bridge.gateway}`);
    await sendInside(open, { ...to, text: 'by way of the router' });
    await sendInside(router, { ...to, text: 'from the machine itself' });
    expect((await arrived.next()).value).toBe('from the machine itself');
    await ipBatch(open, `route del ${shutPort.address}/32`);
  });

  it('is removed without a trace, twice', async () => {
    for (const time of ['the first time', 'the second time']) {
      await runInside(router, ['nft', '-f', '-'], { input: planRemoval(options.tableName) });
      expect((await runInside(router, ['nft', 'list', 'tables'])).stdout, time).toBe('table inet other\n');
    }
    await applyRules([openPort, shutPort]);
  });
});
