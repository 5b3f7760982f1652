import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { joinBridgeBatch, portAddressBatch } from '../../../src/adapters/host-network/commands.ts';
import { namespaceExists } from '../../../src/adapters/host-network/namespace.ts';
import { macAddressOf, planAddresses, planBridge } from '../../../src/core/networks/address-plan.ts';
import { planRuleset, tableNameOf } from '../../../src/core/networks/firewall-plan.ts';
import type { NetworkPort } from '../../../src/core/networks/ports.ts';
import { type Paths, resolvePaths } from '../../../src/host/paths.ts';
import { run } from '../../../src/host/process.ts';
import { type DriverCall, type DriverResult, driveNetwork } from '../../support/drive-network.ts';
import {
  askInside,
  connectInside,
  describeInNamespaces,
  ipBatch,
  joinByVeth,
  listenInside,
  makeNamespace,
  serveNamesInside,
} from '../../support/netns.ts';
import { isRunning } from '../../support/process-evidence.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

/*
 * guest ─ bridge ─ banger's namespace ─ pasta ─ host (a namespace of ours) ─ veth ─ internet (another, 198.51.100.1)
 *
 * Nothing here needs an outside: name servers are our own.
 */
const bridge = planBridge(planAddresses('10.77.0.0/20'), 'banger0');
const done = { ok: null };
/** Mounts of our own, which do not spread; the namespace's name is still seen by everybody. */
const OWN_MOUNTS = ['unshare', '--mount', '--propagation', 'unchanged'];

describeInNamespaces('banger’s own namespace', () => {
  let stack = new AsyncDisposableStack();
  let host = '';
  let internet = '';
  let home = '';
  let paths: Paths;

  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    home = await makeTempDir();
    paths = resolvePaths({ BANGER_HOME: home }, 0);
    host = await makeNamespace(stack);
    internet = await makeNamespace(stack);
    await joinByVeth(
      { name: host, device: 'wan7', address: '198.51.100.2/24' },
      { name: internet, device: 'wan7', address: '198.51.100.1/24' },
    );
    stack.defer(async () => {
      await fromHost('198.51.100.1', ['removeNamespace']);
    });
  });

  afterEach(() => stack.disposeAsync());

  async function giveWayOut(): Promise<void> {
    await ipBatch(host, 'route add default via 198.51.100.1');
  }

  /** Calls on the "host": its network, and a resolv.conf that names the given server. */
  async function fromHost(nameServer: string, ...calls: readonly DriverCall[]): Promise<DriverResult[]> {
    const resolvConf = join(home, 'host-resolv.conf');
    await writeFile(resolvConf, `nameserver ${nameServer}\n`);
    const own: readonly DriverCall[] = [['hideMounts'], ['mount', '--bind', resolvConf, '/etc/resolv.conf']];
    const results = await driveNetwork(host, [...own, ...calls], { home, prefix: OWN_MOUNTS });
    return results.slice(own.length);
  }

  /** Calls from where the daemon is: in the namespace, with mounts of its own. */
  function fromInside(...calls: readonly DriverCall[]): Promise<DriverResult[]> {
    const prefix = ['unshare', '--mount', '--propagation', 'private'];
    return driveNetwork(paths.namespaceName, calls, { home, prefix });
  }

  async function pastaPid(): Promise<number> {
    return Number(await readFile(paths.pastaPid, 'utf8'));
  }

  /** What banger left of its namespace anywhere on this machine. */
  async function remains(): Promise<string[]> {
    const names = await readdir('/run/netns');
    const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
    return [...names, ...mounts].filter((entry) => entry.includes(paths.namespaceName));
  }

  it('is made once, by whichever of several comes first, with one pasta', async () => {
    await giveWayOut();
    const [made] = await fromHost('198.51.100.1', ['ensureNamespaceThrice']);
    const expected = {
      name: paths.namespaceName,
      argvPrefix: [
        'nsenter',
        `--net=/run/netns/${paths.namespaceName}`,
        'unshare',
        '--mount',
        '--propagation',
        'private',
      ],
      outside: true,
      hostAddresses: ['198.51.100.2'],
    };
    expect(made).toEqual({ ok: [expected, expected, expected] });
    expect(await readFile(paths.resolvConf, 'utf8')).toBe('nameserver 169.254.1.1\n');
    expect((await readdir(paths.runtimeDir)).filter((name) => name.startsWith('pasta.pid'))).toEqual(['pasta.pid']);
    const pid = await pastaPid();
    expect(await pastasOf(paths.namespaceName)).toEqual([pid]);

    expect(await fromHost('198.51.100.1', ['ensureNamespace'])).toEqual([{ ok: expected }]);
    expect(await pastaPid()).toBe(pid);

    expect(await fromHost('198.51.100.1', ['removeNamespace'], ['removeNamespace'])).toEqual([done, done]);
    expect(isRunning(pid)).toBe(false);
    expect(await remains()).toEqual([]);
    await expect(stat(paths.pastaPid)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it.each([
    ['on another machine', '198.51.100.1'],
    ['on its own loopback, as systemd-resolved is', '127.0.0.53'],
  ])(
    'gives guests names where the host’s name server is %s, and the host’s services to nobody',
    async (_what, server) => {
      await giveWayOut();
      await serveNamesInside(server.startsWith('127.') ? host : internet, server, stack);
      await listenInside(internet, { address: '198.51.100.1', port: 80 }, stack);
      await listenInside(host, { address: '0.0.0.0', port: 80 }, stack);
      await ipBatch(host, 'addr add 203.0.113.7/32 dev lo');
      expect(await fromHost(server, ['ensureNamespace'])).toMatchObject([{ ok: { outside: true } }]);

      const port: NetworkPort = {
        tapName: 'bngr-test',
        address: '10.77.0.2',
        macAddress: macAddressOf('10.77.0.2'),
        egress: 'open',
      };
      const tap: NetworkPort = {
        tapName: 'bngr-1a2b3c4d5e',
        address: '10.77.0.3',
        macAddress: macAddressOf('10.77.0.3'),
        egress: 'none',
      };
      expect(await fromInside(['ensureBridge', bridge], ['addTap', tap, 'banger0'])).toEqual([done, done]);
      const guest = await joinGuest(port);
      const rules = planRuleset(
        bridge,
        { ports: [port, tap], peers: [] },
        {
          tableName: tableNameOf(paths.namespaceName),
          nameServers: ['169.254.1.1'],
          gatePort: 5378,
          refusedAddresses: ['198.51.100.2', '203.0.113.7'],
          throughPasta: true,
        },
      );
      expect(await fromInside(['applyRuleset', rules], ['listTaps', 'banger0'], ['guestNameServers'])).toEqual([
        done,
        { ok: [tap.tapName] },
        { ok: ['169.254.1.1'] },
      ]);

      expect(await askInside(guest, '169.254.1.1')).toBe('192.0.2.99');
      expect(await connectInside(guest, { address: '198.51.100.1', port: 80 })).toBe('hello 198.51.100.2');
      expect(await connectInside(guest, { address: '198.51.100.2', port: 80 })).toBe('timeout');
      expect(await connectInside(guest, { address: '203.0.113.7', port: 80 })).toBe('EHOSTUNREACH');
      // Programs of the daemon resolve as the host does.
      expect(await fromInside(['bindResolvConf'], ['lookup', 'guest.example.test'])).toEqual([
        done,
        { ok: '192.0.2.99' },
      ]);
    },
  );

  it('is removed from inside, with the mounts of one’s own, and leaves nothing outside', async () => {
    await giveWayOut();
    await fromHost('198.51.100.1', ['ensureNamespace']);
    const pid = await pastaPid();
    expect(await remains()).toHaveLength(2);
    expect(await fromInside(['bindResolvConf'], ['ensureBridge', bridge], ['removeAll', 'banger0', 'unused'])).toEqual([
      done,
      done,
      done,
    ]);
    expect(await remains()).toEqual([]);
    expect(isRunning(pid)).toBe(false);
    expect(await namespaceExists(paths.namespaceName)).toBe(false);
  });

  it('works without a way out, and finds one the next time', async () => {
    expect(await fromHost('198.51.100.1', ['ensureNamespace'])).toMatchObject([{ ok: { outside: false } }]);
    expect(await fromInside(['ensureBridge', bridge])).toEqual([done]);
    expect((await readdir(paths.runtimeDir)).filter((name) => name.startsWith('pasta.pid'))).toEqual([]);
    await giveWayOut();
    expect(await fromHost('198.51.100.1', ['ensureNamespace'])).toMatchObject([{ ok: { outside: true } }]);
  });

  it('gets a new pasta where the old one was killed', async () => {
    await giveWayOut();
    await fromHost('198.51.100.1', ['ensureNamespace']);
    const killed = await pastaPid();
    process.kill(killed, 'SIGKILL');
    expect(await fromHost('198.51.100.1', ['ensureNamespace'])).toMatchObject([{ ok: { outside: true } }]);
    expect(await pastaPid()).not.toBe(killed);
    expect(await pastasOf(paths.namespaceName)).toEqual([await pastaPid()]);
  });

  it('is made anew where a crash left its name and nothing else', async () => {
    await giveWayOut();
    await writeFile(`/run/netns/${paths.namespaceName}`, '');
    expect(await fromHost('198.51.100.1', ['ensureNamespace'])).toMatchObject([{ ok: { outside: true } }]);
    expect(await namespaceExists(paths.namespaceName)).toBe(true);
  });

  it('does not take another program for its pasta', async () => {
    await giveWayOut();
    await fromHost('198.51.100.1', ['ensureNamespace']);
    const pasta = await pastaPid();
    await writeFile(paths.pastaPid, `${process.pid}\n`);
    expect(await fromHost('198.51.100.1', ['removeNamespace'])).toEqual([done]);
    expect(isRunning(process.pid)).toBe(true);
    expect(await remains()).toEqual([]);
    // It goes by itself; nobody waited for it.
    await run(['tail', `--pid=${pasta}`, '-f', '/dev/null'], { timeoutMs: 5_000 });
  });

  it('has a resolv.conf of its own where the host has none', async () => {
    await giveWayOut();
    await serveNamesInside(internet, '198.51.100.1', stack);
    await fromHost('198.51.100.1', ['ensureNamespace']);
    const etc = join(home, 'etc');
    await run(['mkdir', etc]);
    // To an overlay, a character device 0:0 is a file that is not there.
    await run(['mknod', join(etc, 'resolv.conf'), 'c', '0', '0']);
    expect(
      await fromInside(
        ['mount', '-t', 'overlay', '-o', `ro,lowerdir=${etc}:/etc`, 'overlay', '/etc'],
        ['bindResolvConf'],
        ['lookup', 'guest.example.test'],
      ),
    ).toMatchObject([{}, done, { ok: '192.0.2.99' }]);
  });

  async function joinGuest(port: NetworkPort): Promise<string> {
    const guest = await makeNamespace(stack);
    const name = paths.namespaceName;
    await ipBatch(name, `link add ${port.tapName} type veth peer name eth0 netns ${guest}`);
    await ipBatch(name, ...joinBridgeBatch(port, bridge.bridgeName).trim().split('\n'));
    await run(['bridge', '-netns', name, '-batch', '-'], { input: portAddressBatch(port) });
    await ipBatch(
      guest,
      `link set dev eth0 address ${port.macAddress} up`,
      `addr add ${port.address}/${bridge.prefixLength} dev eth0`,
      `route add default via ${bridge.gateway}`,
    );
    return guest;
  }
});

/** Pids of every pasta that serves a namespace. */
async function pastasOf(name: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const cmdline = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    if (cmdline.startsWith('pasta\0') && cmdline.includes(name)) found.push(Number(entry));
  }
  return found;
}
