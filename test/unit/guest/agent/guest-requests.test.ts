/** What single requests do to the machine. */
import { beforeEach, describe, expect, test } from 'vitest';
import { AGENT_METHODS } from '../../../../src/contracts/agent-messages.ts';
import { setAddress, setHostname } from '../../../../guest/agent/identity.ts';
import { powerOff } from '../../../../guest/agent/power-off.ts';
import { readStats } from '../../../../guest/agent/stats.ts';
import { FakeSys, settle } from '../../../fakes/agent/fake-sys.ts';

let sys: FakeSys;

beforeEach(() => {
  sys = new FakeSys();
});

function addCard(name: string, index: number, isCard = true): void {
  sys.files.set(`/sys/class/net/${name}/ifindex`, `${index}\n`);
  if (isCard) sys.links.set(`/sys/class/net/${name}/device`, '../../virtio0');
}

describe('setHostname', () => {
  test('the kernel’s, that of the next boot, and its entry among the hosts', () => {
    sys.files.set('/etc/hosts', '127.0.0.1 localhost\n127.0.1.1 old old.example\n::1 localhost\n');
    setHostname(sys, 'calm-otter');
    expect(sys.calls).toEqual(['setHostname calm-otter', 'write /etc/hostname', 'write /etc/hosts']);
    expect(sys.files.get('/etc/hostname')).toBe('calm-otter\n');
    expect(sys.files.get('/etc/hosts')).toBe('127.0.0.1 localhost\n127.0.1.1 calm-otter\n::1 localhost\n');
  });

  test('hosts without such an entry stay as they are', () => {
    sys.files.set('/etc/hosts', '127.0.0.1 localhost\n');
    setHostname(sys, 'calm-otter');
    expect(sys.calls).not.toContain('write /etc/hosts');
  });
});

describe('setAddress', () => {
  const params = {
    address: '10.77.0.9',
    prefixLength: 20,
    gateway: '10.77.0.1',
    nameServers: ['169.254.1.1', '1.1.1.1'],
  };

  test.each([
    { cards: ['ens4', 'eth0'], card: 'eth0' },
    { cards: ['ens4', 'ens3'], card: 'ens4' },
  ])('of $cards it is $card', async ({ cards, card }) => {
    addCard('docker0', 1, false);
    for (const [at, name] of cards.entries()) addCard(name, at + 2);
    await setAddress(sys, params);
    expect(sys.calls[0]).toContain(`route replace default via 10.77.0.1 dev ${card}\n`);
  });

  test('in one go, and the name servers', async () => {
    addCard('eth0', 2);
    await setAddress(sys, params);
    expect(sys.calls).toEqual([
      'run ip -batch - <<< address flush dev eth0 scope global\nlink set dev eth0 up\n' +
        'address add 10.77.0.9/20 broadcast + dev eth0\nroute replace default via 10.77.0.1 dev eth0\n',
      'write /etc/resolv.conf',
    ]);
    expect(sys.files.get('/etc/resolv.conf')).toBe('nameserver 169.254.1.1\nnameserver 1.1.1.1\n');
  });

  test('without name servers those that are there stay', async () => {
    addCard('eth0', 2);
    await setAddress(sys, { ...params, nameServers: [] });
    expect(sys.calls).toHaveLength(1);
  });

  test('what ip says is passed on', async () => {
    addCard('eth0', 2);
    sys.result = { exitStatus: 2, stderr: 'RTNETLINK answers: No such device\n' };
    await expect(setAddress(sys, params)).rejects.toThrow('ip ended with status 2: RTNETLINK answers: No such device');
  });

  test('without a card nothing is run', async () => {
    await expect(setAddress(sys, params)).rejects.toThrow('there is no network card');
    expect(sys.calls).toEqual([]);
  });
});

describe('powerOff', () => {
  async function off(): Promise<void> {
    const done = powerOff(sys);
    await settle();
    sys.finishSyncs();
    await done;
  }

  test('is left to systemd where it runs', async () => {
    sys.files.set('/proc/1/comm', 'systemd\n');
    await off();
    expect(sys.calls).toEqual(['run systemctl poweroff']);
  });

  test('without systemd: written, then off', async () => {
    sys.files.set('/proc/1/comm', 'init\n');
    await off();
    expect(sys.calls).toEqual(['sync', 'powerOff']);
  });

  test.each([
    ['systemd\n', ['run systemctl reboot']],
    ['init\n', ['sync', 'restart']],
  ])('where only a reboot ends the VMM, under %j', async (first, calls) => {
    sys.files.set('/proc/cmdline', 'console=ttyS0 reboot=k banger.poweroff=reboot root=/dev/vda rw\n');
    sys.files.set('/proc/1/comm', first);
    await off();
    expect(sys.calls).toEqual(calls);
  });

  test('and where systemd does not do it', async () => {
    sys.files.set('/proc/1/comm', 'systemd\n');
    sys.result = { exitStatus: -9, stderr: '' };
    await off();
    expect(sys.calls).toEqual([
      'run systemctl poweroff',
      'log systemctl poweroff ended with status -9: ',
      'sync',
      'powerOff',
    ]);
  });
});

describe('readStats', () => {
  const result = AGENT_METHODS.stats.result;

  test('what the guest has', () => {
    sys.files.set('/proc/loadavg', '0.10 0.20 0.30 1/100 42\n');
    sys.files.set('/proc/stat', 'cpu  1 0 1 8 0 0 0 0 0 0\n');
    sys.files.set('/proc/meminfo', 'MemTotal: 100 kB\nMemAvailable: 50 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n');
    sys.files.set('/proc/mounts', '/dev/vda / ext4 rw 0 0\n/dev/vdb /gone ext4 rw 0 0\n/dev/vdc /root ext4 rw 0 0\n');
    sys.filesystems.set('/', { totalBytes: 1_000, availableBytes: 400 });
    sys.filesystems.set('/root', { totalBytes: 10, availableBytes: 4 });
    const stats = readStats(sys);
    expect(result.parse(stats)).toEqual(stats);
    expect(stats).toMatchObject({
      uptimeMs: 1_000,
      load: [0.1, 0.2, 0.3],
      cpu: { busyMs: 20, totalMs: 100 },
      memory: { totalBytes: 102_400, availableBytes: 51_200 },
      disks: [
        { path: '/', totalBytes: 1_000, availableBytes: 400 },
        { path: '/root', totalBytes: 10, availableBytes: 4 },
      ],
    });
  });

  test('a machine that tells nothing, and one that has too much, fit all the same', () => {
    expect(result.safeParse(readStats(sys)).success).toBe(true);
    const mounts = Array.from({ length: 40 }, (_, at) => `/dev/vd${at} /${'d'.repeat(at * 20)} ext4 rw 0 0\n`);
    sys.files.set('/proc/mounts', mounts.join(''));
    for (let at = 0; at < 40; at += 1) {
      sys.filesystems.set(`/${'d'.repeat(at * 20)}`, { totalBytes: 2, availableBytes: 1 });
    }
    const { disks } = result.parse(readStats(sys));
    expect(disks.length).toBeGreaterThan(5);
  });
});
