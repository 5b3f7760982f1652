import { afterAll, beforeAll, expect, it } from 'vitest';
import { configSchema } from '../../../src/contracts/config.ts';
import { findObstacles } from '../../../src/core/doctor/other-firewalls.ts';
import { macAddressOf } from '../../../src/core/networks/address-plan.ts';
import {
  connectInside,
  describeInNamespaces,
  ipBatch,
  joinByVeth,
  listenInside,
  makeNamespace,
  runInside,
} from '../../support/netns.ts';
import { driveService } from '../../support/network-service.ts';
import { OTHER_FIREWALLS } from '../../support/other-firewalls.ts';

const OUTSIDE = '198.51.100.1';
const OURS = 'banger_0a1b2c3d';
const { bridge_name: bridgeName, cidr } = configSchema.parse({}).network;

describeInNamespaces('beside another firewall, in mode host', () => {
  const stack = new AsyncDisposableStack();
  let host = '';
  let guest = '';

  const nft = (input: string): Promise<unknown> => runInside(host, ['nft', '-f', '-'], { input });
  const obstacles = async () =>
    findObstacles((await runInside(host, ['nft', '-j', 'list', 'ruleset'])).stdout, bridgeName, /^banger_/);
  const reach = (): Promise<string> => connectInside(guest, { address: OUTSIDE, port: 80 });

  beforeAll(async () => {
    host = await makeNamespace(stack);
    guest = await makeNamespace(stack);
    const outside = await makeNamespace(stack);
    await joinByVeth(
      { name: host, device: 'up0', address: '198.51.100.2/24' },
      { name: outside, device: 'up0', address: `${OUTSIDE}/24` },
    );
    await listenInside(outside, { address: '0.0.0.0', port: 80 }, stack);
    const address = '10.77.0.2';
    const port = { tapName: 'tap-2', address, macAddress: macAddressOf(address), egress: 'open' };
    await ipBatch(host, `link add ${port.tapName} type veth peer name eth0 netns ${guest}`);
    await ipBatch(
      guest,
      `link set dev eth0 address ${port.macAddress} up`,
      `addr add ${address}/20 dev eth0`,
      'route add default via 10.77.0.1',
    );
    const network = await driveService(host, { nameServer: OUTSIDE, cidr, tableName: OURS }, stack);
    await network.attach(port);
  });

  afterAll(() => stack.disposeAsync());

  it('names none where there is none', async () => {
    expect(await reach()).toBe('hello 198.51.100.2');
    expect(await obstacles()).toEqual([]);
  });

  it.each(OTHER_FIREWALLS)(
    'names the chain of $owner that is in the way, and nothing once it is mended',
    async (other) => {
      await nft(other.rules);
      expect(await reach()).not.toBe('hello 198.51.100.2');
      expect(await obstacles()).toMatchObject([{ owner: other.owner, chain: other.chain }]);
      await nft(other.mended);
      expect(await reach()).toBe('hello 198.51.100.2');
      expect(await obstacles()).toEqual([]);
      const [, family = '', table = ''] = /^table (\w+) (\w+)/.exec(other.rules) ?? [];
      await nft(`delete table ${family} ${table}`);
    },
  );
});
