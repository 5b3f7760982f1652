import { describe, expect, test } from 'vitest';
import { configSchema } from '../../../../src/contracts/config.ts';
import { DOCTOR_TOPICS, type DoctorCheck, doctorCheckSchema } from '../../../../src/contracts/doctor.ts';
import { type CheckRequest, judgeHost } from '../../../../src/core/doctor/checks.ts';
import type { HostFacts } from '../../../../src/core/doctor/ports.ts';
import type { DnsStatus } from '../../../../src/contracts/dns.ts';
import { healthyHost, programsWithout, requestFor } from './healthy-host.ts';

const GIB = 2 ** 30;

function unwell(checks: readonly DoctorCheck[]): readonly DoctorCheck[] {
  return checks.filter((check) => check.outcome !== 'ok');
}

interface Ailment {
  readonly what: string;
  readonly facts?: Partial<HostFacts>;
  readonly request?: Parameters<typeof requestFor>[0];
  readonly check: string;
  readonly outcome?: 'failed' | 'warning';
  readonly message: string;
  readonly fix: string;
}

/** A table in which nothing is forwarded, with a chain that tells whose it is. */
function droppingRuleset(chain: string): string {
  const place = { family: 'ip', table: 'filter' };
  return JSON.stringify({
    nftables: [
      { chain: { ...place, name: chain } },
      { chain: { ...place, name: 'FORWARD', type: 'filter', hook: 'forward', prio: 0, policy: 'drop' } },
    ],
  });
}

const AILMENTS: readonly Ailment[] = [
  {
    what: 'another architecture',
    facts: { architecture: 'aarch64' },
    check: 'architecture',
    message: 'linux on aarch64; banger runs on Linux on x86-64 only',
    fix: 'Use an x86-64 Linux machine.',
  },
  { what: 'another system', facts: { platform: 'darwin' }, check: 'architecture', message: 'darwin', fix: 'Linux' },
  {
    what: 'an ordinary user',
    facts: { uid: 1000 },
    check: 'root',
    message: 'Running as uid 1000; this version sets up its network namespace as root',
    fix: 'sudo -i',
  },
  ...(
    [
      ['DOCKER-USER', 'Docker', 'iptables -I DOCKER-USER -i banger0 -j ACCEPT && iptables -I DOCKER-USER -o banger0'],
      ['ufw-user-forward', 'ufw', 'ufw route allow in on banger0 && ufw allow in on banger0'],
      ['other', 'table ip filter', 'nft insert rule ip filter FORWARD iifname banger0 accept && nft insert rule'],
    ] as const
  ).map(([chain, owner, fix]) => ({
    what: `rules of ${owner} stop guests in mode host`,
    facts: { rulesetJson: droppingRuleset(chain) },
    request: { file: { network: { mode: 'host' } } },
    check: 'other-firewalls',
    outcome: 'warning' as const,
    message: `${owner} stops what they send, or the answers, in ip filter FORWARD (policy drop)`,
    fix,
  })),
  {
    what: 'QEMU is missing',
    facts: { programs: programsWithout('qemu-system-x86_64') },
    check: 'qemu-binary',
    message: 'qemu-system-x86_64 is not installed; qemu-system-x86 runs the VMs',
    fix: 'apt-get install -y qemu-system-x86',
  },
  {
    what: 'the QEMU of the config is missing',
    facts: { programs: programsWithout('qemu-system-x86_64') },
    request: { file: { qemu_bin: '/opt/qemu' } },
    check: 'qemu-binary',
    message: '/opt/qemu cannot be run',
    fix: 'Mend qemu_bin',
  },
  {
    what: 'mmdebstrap is missing',
    facts: { programs: programsWithout('mmdebstrap') },
    check: 'mmdebstrap',
    message: 'mmdebstrap is not installed',
    fix: 'apt-get install -y mmdebstrap',
  },
  {
    what: 'half of e2fsprogs is missing',
    facts: { programs: programsWithout('resize2fs', 'debugfs') },
    check: 'e2fsprogs',
    message: 'resize2fs, debugfs are not installed',
    fix: 'apt-get install -y e2fsprogs',
  },
  ...(
    [
      ['ip', 'iproute2', 'iproute2'],
      ['nft', 'nftables', 'nftables'],
      ['flock', 'util-linux', 'util-linux'],
      ['nsenter', 'util-linux', 'util-linux'],
      ['setpriv', 'util-linux', 'util-linux'],
      ['pasta', 'pasta', 'passt'],
      ['ssh', 'ssh-client', 'openssh-client'],
      ['git', 'git', 'git'],
      ['npm', 'npm', 'npm'],
    ] as const
  ).map(([program, check, debianPackage]) => ({
    what: `${program} is missing`,
    facts: { programs: programsWithout(program) },
    check,
    message: `${program} is not installed`,
    fix: `apt-get install -y ${debianPackage}`,
  })),
  {
    what: 'a config that cannot be used',
    request: {},
    check: 'config',
    message: 'config.toml:2:1: colour: there is no such key; config.toml:3:1: x: no',
    fix: 'Mend the line.',
  },
  {
    what: 'an engine that is not part of this version',
    request: { file: { engine: 'firecracker' } },
    check: 'engine',
    message: 'this version of banger has no such engine',
    fix: 'engine = "auto"',
  },
  ...(['missing', 'denied', 'broken'] as const).flatMap((state) => [
    {
      what: `KVM asked for, and /dev/kvm ${state}`,
      facts: { kvmDevice: state },
      request: { file: { accelerator: 'kvm' } },
      check: 'engine',
      message: '/dev/kvm',
      fix: 'accelerator = "auto"',
    },
    {
      what: `/dev/net/tun ${state}`,
      facts: { tunDevice: state },
      check: 'tun-device',
      message: '/dev/net/tun',
      fix: state === 'denied' ? 'Give this container the device' : 'modprobe tun',
    },
  ]),
  ...(
    [
      ['bridge', 'kernel-bridge', 'modprobe bridge'],
      ['tap', 'kernel-tap', 'modprobe tun'],
      ['nftables', 'kernel-nftables', 'modprobe -a nf_tables nft_chain_nat nft_masq'],
    ] as const
  ).map(([feature, check, fix]) => ({
    what: `no ${feature} in the kernel`,
    facts: {
      features: { ...healthyHost().features, [feature]: { state: 'failed', message: 'Operation not supported' } },
    },
    check,
    message: 'Operation not supported',
    fix,
  })),
  {
    what: 'a runtime folder that others can write to',
    facts: {
      runtimeDir: {
        path: '/r',
        fact: { state: 'unsafe', message: '/r has mode 0777; it must be 0700', fix: 'chmod 700 /r' },
      },
    },
    check: 'runtime-folder',
    message: '/r has mode 0777',
    fix: 'chmod 700 /r',
  },
  {
    what: 'a socket path that is too long',
    facts: { longestSocket: { path: '/very/long', sizeBytes: 108, maxBytes: 107 } },
    check: 'socket-path',
    message: '/very/long have 108 bytes; the system allows 107',
    fix: 'Set BANGER_HOME',
  },
  {
    what: 'a full disk',
    facts: { stateDir: { path: '/s', writable: true, freeBytes: 2 * GIB } },
    check: 'state-folder',
    message: 'Only 2G free in /s; 3G are needed',
    fix: 'Free some space',
  },
  {
    what: 'a state folder of somebody else',
    facts: { stateDir: { path: '/s', writable: false, freeBytes: 50 * GIB } },
    check: 'state-folder',
    message: '/s cannot be written to',
    fix: 'BANGER_HOME',
  },
  {
    what: 'a host smaller than its VMs',
    facts: { memory: { totalBytes: GIB / 2, availableBytes: GIB / 2 } },
    check: 'memory',
    message: 'The host has 512M of memory and a VM gets 512M',
    fix: '[vm_defaults] memory',
  },
  {
    what: 'memory taken by others',
    facts: { memory: { totalBytes: 16 * GIB, availableBytes: GIB / 2 } },
    check: 'memory',
    outcome: 'warning',
    message: 'Only 512M of 16G memory available',
    fix: '[vm_defaults] memory',
  },
  {
    what: 'a database of a newer banger',
    facts: { database: { path: '/s/state.db', fact: { state: 'ours', schemaVersion: 4, knownVersion: 3 } } },
    check: 'database',
    message: 'its schema is 4, this one knows 3',
    fix: 'Install the newer banger',
  },
  ...(
    [
      ['foreign', 'Move the file away'],
      ['unreadable', 'Make the file readable'],
    ] as const
  ).map(([state, fix]) => ({
    what: `a database that is ${state}`,
    facts: { database: { path: '/s/state.db', fact: { state, message: '/s/state.db is odd' } } },
    check: 'database',
    message: '/s/state.db is odd',
    fix,
  })),
  {
    what: 'no name server',
    facts: { nameServers: [] },
    check: 'name-servers',
    message: '/etc/resolv.conf names no server',
    fix: 'Set [network] dns',
  },
  {
    what: 'a resolver that guests of mode host cannot reach',
    facts: { nameServers: ['127.0.0.53'] },
    request: { file: { network: { mode: 'host' } } },
    check: 'name-servers',
    message: 'through 127.0.0.53, which guests cannot reach',
    fix: 'Set [network] dns',
  },
  {
    what: 'a guests’ network that is one of the host’s, in mode host',
    facts: { routes: [{ destination: '10.77.4.0/24', device: 'wg0' }] },
    request: { file: { network: { mode: 'host' } } },
    check: 'network',
    message: "10.77.0.0/20 overlaps with the host's route 10.77.4.0/24 on wg0",
    fix: 'Set [network] cidr',
  },
  ...(
    [
      ['10.77.0.0/31', 'has no room for a guest'],
      ['10.77.0.1/20', 'has host bits set'],
      ['127.0.0.0/8', 'overlaps 127.0.0.0/8'],
    ] as const
  ).map(([cidr, message]) => ({
    what: `the guests’ network ${cidr}`,
    request: { file: { network: { cidr } } },
    check: 'network',
    message,
    fix: '[network] cidr',
  })),
  {
    what: 'a lone address of the host inside the guests’ network, in mode host',
    facts: { routes: [{ destination: '10.77.3.4', device: 'ppp0' }] },
    request: { file: { network: { mode: 'host' } } },
    check: 'network',
    message: "overlaps with the host's route 10.77.3.4 on ppp0",
    fix: 'Set [network] cidr',
  },
  {
    what: 'a guests’ network that the way outside goes through',
    facts: {
      routes: [
        { destination: 'default', device: 'eth0' },
        { destination: '10.0.0.0/8', device: 'eth0' },
      ],
    },
    check: 'network',
    message: "overlaps with the host's route 10.0.0.0/8 on eth0",
    fix: 'Set [network] cidr',
  },
];

describe('a healthy host', () => {
  test.each(DOCTOR_TOPICS)('has nothing to mend for %s', (topic) => {
    const checks = judgeHost(requestFor({ topic }), healthyHost());
    expect(unwell(checks)).toEqual([]);
    for (const check of checks) expect(() => doctorCheckSchema.parse(check)).not.toThrow();
    expect(new Set(checks.map((check) => check.name)).size).toBe(checks.length);
  });

  test.each([
    ['no database yet', { database: { path: '/s', fact: { state: 'absent' } } }],
    ['a database that is just being made', { database: { path: '/s', fact: { state: 'unsettled' } } }],
    ['an older database', { database: { path: '/s', fact: { state: 'ours', schemaVersion: 1, knownVersion: 3 } } }],
    ['no runtime folder yet', { runtimeDir: { path: '/r', fact: { state: 'absent' } } }],
    ['a network elsewhere, in mode isolated', { routes: [{ destination: '10.77.0.0/16', device: 'wg0' }] }],
    ['a resolver of its own, in mode isolated', { nameServers: ['127.0.0.53'] }],
    ['no KVM', { kvmDevice: 'missing' }],
    [
      'a QEMU that does not tell its version',
      { programs: { ...programsWithout(), 'qemu-system-x86_64': { path: '/q', version: undefined } } },
    ],
  ] satisfies [string, Partial<HostFacts>][])('may have %s', (_what, facts) => {
    expect(unwell(judgeHost(requestFor(), healthyHost(facts)))).toEqual([]);
  });

  test('its own bridge is no overlap in mode host', () => {
    const facts = healthyHost({ routes: [{ destination: '10.77.0.0/20', device: 'banger0' }] });
    expect(unwell(judgeHost(requestFor({ file: { network: { mode: 'host' } } }), facts))).toEqual([]);
  });

  test('a name server of the config is enough', () => {
    const request = requestFor({ file: { network: { dns: '192.0.2.1' } } });
    expect(unwell(judgeHost(request, healthyHost({ nameServers: [] })))).toEqual([]);
  });

  test('a KVM device is called unproved', () => {
    const accelerator = judgeHost(requestFor(), healthyHost()).find((check) => check.name === 'accelerator');
    expect(accelerator?.message).toContain('proves nothing');
  });
});

describe('each thing that is missing fails one check, and says what mends it', () => {
  test.each(AILMENTS)('$what', ({ facts, request, check, outcome, message, fix }) => {
    let asked: CheckRequest = requestFor(request);
    if (check === 'config') {
      const invalid = {
        state: 'invalid',
        path: 'config.toml',
        message: message.replace('; config', '\nconfig'),
        hint: fix,
      } as const;
      asked = { ...asked, config: { ...invalid, config: configSchema.parse({}) } };
    }
    const found = unwell(judgeHost(asked, healthyHost(facts)));
    expect(found).toEqual([
      {
        name: check,
        outcome: outcome ?? 'failed',
        message: expect.stringContaining(message) as string,
        fix: expect.stringContaining(fix) as string,
      },
    ]);
    expect(found[0]?.message).not.toContain('\n');
  });

  test('an ordinary user gets commands with sudo', () => {
    const checks = judgeHost(requestFor(), healthyHost({ uid: 1000, programs: programsWithout('nft') }));
    expect(checks.find((check) => check.name === 'nftables')?.fix).toBe('sudo apt-get install -y nftables');
  });

  test('what could not be tried is not called broken', () => {
    const notTried = { state: 'not-tried' } as const;
    const features = { bridge: notTried, tap: notTried, nftables: notTried };
    const checks = judgeHost(requestFor(), healthyHost({ features }));
    expect(unwell(checks)).toEqual([]);
    expect(checks.map((check) => check.name)).not.toContain('kernel-bridge');
  });
});

describe('only what the topic needs is checked', () => {
  test.each([
    ['bootstrap', ['qemu-binary', 'accelerator', 'ssh-client', 'git', 'npm', 'memory', 'tun-device', 'nftables']],
    ['build', ['mmdebstrap', 'ssh-client']],
    ['vm', ['mmdebstrap', 'git', 'npm']],
  ] as const)('%s', (topic, absent) => {
    const names = judgeHost(requestFor({ topic }), healthyHost()).map((check) => check.name);
    expect(names.filter((name) => (absent as readonly string[]).includes(name))).toEqual([]);
    expect(names).toContain('e2fsprogs');
  });

  test('mode host needs no pasta', () => {
    const request = requestFor({ file: { network: { mode: 'host' } } });
    expect(unwell(judgeHost(request, healthyHost({ programs: programsWithout('pasta') })))).toEqual([]);
  });

  test('a VM needs less disk than an image', () => {
    const facts = healthyHost({ stateDir: { path: '/s', writable: true, freeBytes: 2 * GIB } });
    expect(unwell(judgeHost(requestFor({ topic: 'vm' }), facts))).toEqual([]);
    expect(unwell(judgeHost(requestFor({ topic: 'bootstrap' }), facts))).toHaveLength(1);
  });
});

describe('guests’ names', () => {
  const silent: DnsStatus = {
    zone: 'vm',
    server: { address: '127.77.4.1', port: 5377 },
    answers: false,
    resolves: false,
  };
  const wiring: DnsStatus['wiring'] = {
    version: 1,
    resolver: 'dnsmasq',
    path: '/etc/dnsmasq.d/banger.conf',
    content: '',
    madeFolder: false,
    reload: ['systemctl', 'restart', 'dnsmasq.service'],
  };

  test.each<[Partial<DnsStatus>, DoctorCheck['outcome'], string]>([
    [{ answers: true, resolves: true }, 'ok', 'The host resolves names such as calm-otter.vm'],
    [{}, 'ok', '`banger dns enable` does it'],
    [{ answers: true }, 'ok', '`banger dns enable` does it'],
    [{ wiring }, 'ok', 'dnsmasq asks 127.77.4.1 port 5377, where banger answers while its daemon runs guests'],
    [{ wiring, answers: true }, 'warning', 'the host does not ask it, although /etc/dnsmasq.d/banger.conf says so'],
  ])('%j: %s', (differences, outcome, message) => {
    const checks = judgeHost({ ...requestFor(), names: { ...silent, ...differences } }, healthyHost());
    const check = checks.find(({ name }) => name === 'guest-names');
    expect(check).toMatchObject({ outcome, message: expect.stringContaining(message) });
    expect(check?.fix).toBe(outcome === 'ok' ? undefined : 'systemctl restart dnsmasq.service');
  });

  test('are not looked for where nothing is published, nor where no guest is to run', () => {
    expect(judgeHost(requestFor(), healthyHost()).map(({ name }) => name)).not.toContain('guest-names');
    const bootstrap = judgeHost({ ...requestFor({ topic: 'bootstrap' }), names: silent }, healthyHost());
    expect(bootstrap.map(({ name }) => name)).not.toContain('guest-names');
  });
});
