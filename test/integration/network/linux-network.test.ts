import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { macAddressOf, planAddresses, planBridge } from '../../../src/core/networks/address-plan.ts';
import { planRuleset } from '../../../src/core/networks/firewall-plan.ts';
import type { NetworkPort } from '../../../src/core/networks/ports.ts';
import { type DriverCall, type DriverResult, driveNetwork } from '../../support/drive-network.ts';
import {
  describeInNamespaces,
  ipBatch,
  joinByVeth,
  makeNamespace,
  runInside,
  startInside,
} from '../../support/netns.ts';
import { run } from '../../../src/host/process.ts';

const bridge = planBridge(planAddresses('10.77.0.0/20'), 'banger0');
const port: NetworkPort = {
  tapName: 'bngr-1a2b3c4d5e',
  address: '10.77.0.2',
  macAddress: macAddressOf('10.77.0.2'),
  egress: 'open',
};
const TABLE = 'banger_0a1b2c3d';
const done = { ok: null };

interface Link {
  readonly ifname: string;
  readonly address: string;
  readonly flags: readonly string[];
  readonly linkinfo?: { readonly info_data?: object; readonly info_slave_data?: object };
}

describeInNamespaces('LinuxNetwork', () => {
  let stack = new AsyncDisposableStack();
  let name = '';

  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    name = await makeNamespace(stack);
  });

  afterEach(() => stack.disposeAsync());

  const drive = (...calls: readonly DriverCall[]): Promise<DriverResult[]> =>
    driveNetwork(name, calls, { mode: 'host' });

  async function show(device: string): Promise<Link> {
    const { stdout } = await run(['ip', '-netns', name, '-details', '-json', 'link', 'show', 'dev', device]);
    const [link] = JSON.parse(stdout) as Link[];
    if (!link) throw new Error(`no ${device}`);
    return link;
  }

  async function deviceNames(): Promise<string[]> {
    const { stdout } = await run(['ip', '-netns', name, '-json', 'link', 'show']);
    return (JSON.parse(stdout) as Link[]).map((link) => link.ifname);
  }

  /** What a VMM does with its TAP; it says its first word once it has it. */
  async function holdTap(): Promise<AsyncDisposableStack> {
    const held = stack.use(new AsyncDisposableStack());
    const netdev = `tap,id=net0,ifname=${port.tapName},script=no,downscript=no`;
    const argv = ['qemu-system-x86_64', '-M', 'none', '-nodefaults', '-display', 'none', '-netdev', netdev] as const;
    const { firstLine } = await startInside(name, [...argv, '-qmp', 'stdio'], held);
    expect(firstLine).toContain('QMP');
    return held;
  }

  describe('ensureBridge', () => {
    it('makes a bridge that passes frames at once, and switches forwarding on', async () => {
      expect(await drive(['ensureBridge', bridge])).toEqual([done]);
      const link = await show('banger0');
      expect(link).toMatchObject({
        address: '02:62:0a:4d:00:01',
        flags: expect.arrayContaining(['UP']) as string[],
        linkinfo: { info_kind: 'bridge', info_data: { stp_state: 0, forward_delay: 0 } },
      });
      const { stdout } = await run(['ip', '-netns', name, '-br', '-4', 'addr', 'show', 'dev', 'banger0']);
      expect(stdout).toContain('10.77.0.1/20');
      expect((await runInside(name, ['cat', '/proc/sys/net/ipv4/ip_forward'])).stdout).toBe('1\n');
    });

    it('changes nothing the second time', async () => {
      await drive(['ensureBridge', bridge]);
      const before = await run(['ip', '-netns', name, '-d', 'addr', 'show', 'dev', 'banger0']);
      expect(await drive(['ensureBridge', bridge])).toEqual([done]);
      const after = await run(['ip', '-netns', name, '-d', 'addr', 'show', 'dev', 'banger0']);
      expect(withoutTimers(after.stdout)).toBe(withoutTimers(before.stdout));
    });

    it('completes what a crash left half made', async () => {
      await ipBatch(name, 'link add name banger0 address 02:62:0a:4d:00:01 type bridge stp_state 0 forward_delay 0');
      expect(await drive(['ensureBridge', bridge])).toEqual([done]);
      const { stdout } = await run(['ip', '-netns', name, '-br', '-4', 'addr', 'show', 'dev', 'banger0']);
      expect(stdout).toMatch(/banger0\s+\S+\s+10\.77\.0\.1\/20/);
    });

    it.each([
      ['a bridge with another address', ['link add name banger0 type bridge', 'addr add 192.0.2.1/24 dev banger0']],
      ['a bridge of somebody else without one', ['link add name banger0 type bridge']],
      ['no bridge at all', ['link add name banger0 type veth peer name other']],
    ])('refuses a name that is taken by %s, and leaves it alone', async (_what, lines) => {
      await ipBatch(name, ...lines);
      const before = await show('banger0');
      expect(await drive(['ensureBridge', bridge])).toMatchObject([
        { error: { code: 'NETWORK_UNAVAILABLE', hint: expect.stringContaining('bridge_name') as string } },
      ]);
      expect((await show('banger0')).flags).toEqual(before.flags);
    });

    it.each([
      ['address', ['addr add 10.77.3.9/24 dev up0'], 'up0 has'],
      ['route', ['route add 10.77.8.0/24 via 198.51.100.1'], 'up0 has'],
    ])(
      'refuses a network whose addresses another interface has by its %s, and makes nothing',
      async (_what, lines, who) => {
        const other = await makeNamespace(stack);
        await joinByVeth(
          { name, device: 'up0', address: '198.51.100.2/24' },
          { name: other, device: 'up0', address: '198.51.100.1/24' },
        );
        await ipBatch(name, ...lines);
        expect(await drive(['ensureBridge', bridge])).toMatchObject([
          {
            error: {
              code: 'NETWORK_UNAVAILABLE',
              message: expect.stringContaining(who) as string,
              hint: expect.stringContaining('[network] cidr') as string,
              details: { interface: 'up0' },
            },
          },
        ]);
        expect(await deviceNames()).not.toContain('banger0');
      },
    );
  });

  describe('addTap', () => {
    it('makes an isolated port whose addresses are told', async () => {
      expect(await drive(['ensureBridge', bridge], ['addTap', port, 'banger0'], ['listTaps', 'banger0'])).toEqual([
        done,
        done,
        { ok: [port.tapName] },
      ]);
      expect(await show(port.tapName)).toMatchObject({
        flags: expect.arrayContaining(['UP']) as string[],
        linkinfo: {
          info_data: { type: 'tap', persist: true },
          info_slave_data: { isolated: true, learning: false, flood: false },
        },
      });
    });

    it('makes a TAP that QEMU can use', async () => {
      await drive(['ensureBridge', bridge], ['addTap', port, 'banger0']);
      await holdTap();
      expect((await show(port.tapName)).flags).toContain('LOWER_UP');
    });

    it('makes a TAP anew that a crash left', async () => {
      await ipBatch(name, `tuntap add dev ${port.tapName} mode tap`);
      expect(await drive(['ensureBridge', bridge], ['addTap', port, 'banger0'])).toEqual([done, done]);
      expect(await show(port.tapName)).toMatchObject({ master: 'banger0' });
    });

    it('says so where another program holds the TAP, and leaves it alone', async () => {
      await drive(['ensureBridge', bridge]);
      await ipBatch(name, `tuntap add dev ${port.tapName} mode tap`);
      await holdTap();
      expect(await drive(['addTap', port, 'banger0'])).toMatchObject([
        { error: { code: 'NETWORK_UNAVAILABLE', message: `TAP ${port.tapName} is held by another program.` } },
      ]);
      expect(await deviceNames()).toContain(port.tapName);
    });

    it('waits for a VMM that is just ending', async () => {
      await drive(['ensureBridge', bridge]);
      await ipBatch(name, `tuntap add dev ${port.tapName} mode tap`);
      const held = await holdTap();
      const added = drive(['addTap', port, 'banger0']);
      await held.disposeAsync();
      expect(await added).toEqual([done]);
    });

    it('says so where the name belongs to something else', async () => {
      await ipBatch(name, `link add ${port.tapName} type veth peer name other`);
      expect(await drive(['ensureBridge', bridge], ['addTap', port, 'banger0'])).toMatchObject([
        done,
        { error: { code: 'NETWORK_UNAVAILABLE', message: expect.stringContaining('could not be made') as string } },
      ]);
      expect(await deviceNames()).toContain(port.tapName);
    });

    it('leaves no TAP where it cannot join the bridge', async () => {
      expect(await drive(['addTap', port, 'banger0'])).toMatchObject([{ error: { code: 'NETWORK_UNAVAILABLE' } }]);
      expect(await deviceNames()).toEqual(['lo']);
    });
  });

  it('removes a TAP, held or gone', async () => {
    await drive(['ensureBridge', bridge], ['addTap', port, 'banger0']);
    await holdTap();
    expect(await drive(['removeTap', port.tapName], ['removeTap', port.tapName], ['listTaps', 'banger0'])).toEqual([
      done,
      done,
      { ok: [] },
    ]);
    expect(await deviceNames()).not.toContain(port.tapName);
  });

  it('lists no TAP where there is no bridge, nor those of another bridge', async () => {
    await ipBatch(name, 'link add other type bridge', 'tuntap add dev tap9 mode tap', 'link set tap9 master other');
    expect(await drive(['listTaps', 'banger0'])).toEqual([{ ok: [] }]);
  });

  it('tells nft’s own words where a ruleset is refused', async () => {
    expect(await drive(['applyRuleset', 'table inet x { nonsense }'])).toMatchObject([
      { error: { code: 'NETWORK_UNAVAILABLE', message: expect.stringContaining('syntax error') as string } },
    ]);
  });

  it('removes in mode host all that is ours and nothing else, twice', async () => {
    const rules = planRuleset(
      bridge,
      { ports: [port], peers: [] },
      {
        tableName: TABLE,
        nameServers: [],
        gatePort: 5378,
        refusedAddresses: [],
        throughPasta: false,
      },
    );
    await runInside(name, ['nft', 'add', 'table', 'inet', 'other']);
    await ipBatch(name, 'link add other type bridge');
    expect(await drive(['ensureBridge', bridge], ['addTap', port, 'banger0'], ['applyRuleset', rules])).toEqual([
      done,
      done,
      done,
    ]);
    expect(await drive(['removeAll', 'banger0', TABLE], ['removeAll', 'banger0', TABLE])).toEqual([done, done]);
    expect(await deviceNames()).toEqual(['lo', 'other']);
    expect((await runInside(name, ['nft', 'list', 'tables'])).stdout).toBe('table inet other\n');
  });
});

/** A bridge counts down in what `ip` shows of it. */
function withoutTimers(text: string): string {
  return text.replaceAll(/\S+_timer +[\d.]+/g, '');
}
