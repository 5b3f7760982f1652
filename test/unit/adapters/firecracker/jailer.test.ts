import { describe, expect, test } from 'vitest';
import { idInCommandLine } from '../../../../src/adapters/firecracker/evidence.ts';
import {
  cgroupDirOf,
  coversOwners,
  freeOwner,
  hasControllers,
  isJailDir,
  jailedApiSocket,
  jailerArgv,
  mountOptionsAt,
  planJail,
} from '../../../../src/adapters/firecracker/jailer.ts';
import { machineSpec } from '../../../support/machine-spec.ts';

const SETTINGS = {
  jailerPath: '/opt/jailer-v1.16',
  firecrackerPath: '/opt/firecracker-v1.16',
  baseDir: '/state/jails',
  hasCgroups: false,
};
const JAIL = '/state/jails/firecracker-v1.16/vm-0123456789';

describe('a jail', () => {
  const { spec } = machineSpec('/m', {
    initrdPath: '/i/initrd',
    drives: [
      { id: 'root', path: '/m/disk.ext4', readOnly: false },
      { id: 'seed', path: '/i/seed', readOnly: true },
    ],
  });
  const plan = planJail(spec, SETTINGS);

  test('is named after the program and the machine', () => {
    expect(plan.jailDir).toBe(JAIL);
    expect(plan.dirs).toEqual([`${JAIL}/root`, `${JAIL}/root/drives`]);
  });

  test('shares what is only read, and owns what is written', () => {
    expect(plan.files).toEqual([
      { from: '/m/kernel', to: `${JAIL}/root/kernel`, kind: 'shared' },
      { from: '/i/initrd', to: `${JAIL}/root/initrd`, kind: 'shared' },
      { from: '/m/disk.ext4', to: `${JAIL}/root/drives/root`, kind: 'own' },
      { from: '/i/seed', to: `${JAIL}/root/drives/seed`, kind: 'shared' },
      { from: '/m/console.log', to: `${JAIL}/root/console.log`, kind: 'own' },
      { from: '/m/metrics.ndjson', to: `${JAIL}/root/metrics.ndjson`, kind: 'own' },
    ]);
  });

  test('has every place that the VMM is told of where its file is', () => {
    const { kernel, initrd, drives, console, metrics } = plan.places;
    const told = [kernel, initrd, ...drives, console, metrics].map((path) => `${JAIL}/root${path}`);
    expect(told).toEqual(plan.files.map(({ to }) => to));
  });

  test('has its sockets under the short paths outside', () => {
    expect(plan.links).toEqual([
      { path: '/m/qmp.sock', target: `${JAIL}/root${plan.places.apiSocket}` },
      { path: '/m/agent.sock', target: `${JAIL}/root/run/agent.sock` },
    ]);
    expect(plan.places.apiSocket).toMatch(/^\/run\/api-[0-9a-f]{16}\.sock$/);
  });
});

describe('the jailer’s command line', () => {
  const { spec } = machineSpec('/m', { cpus: 2, memoryBytes: 2 ** 30 });
  const jail = { owner: 1_900_000_007, places: planJail(spec, SETTINGS).places };
  const always = [
    ...['/opt/jailer-v1.16', '--id', 'vm-0123456789', '--exec-file', '/opt/firecracker-v1.16'],
    ...['--uid', '1900000007', '--gid', '1900000007', '--chroot-base-dir', '/state/jails'],
  ];
  const last = ['--', '--api-sock', jail.places.apiSocket];

  test('has no word of cgroups where there are none', () => {
    expect(jailerArgv(spec, SETTINGS, jail)).toEqual([...always, ...last]);
  });

  test('bounds memory and processes where there are', () => {
    expect(jailerArgv(spec, { ...SETTINGS, hasCgroups: true, netnsPath: '/run/netns/x' }, jail)).toEqual([
      ...always,
      ...['--netns', '/run/netns/x', '--cgroup-version', '2', '--parent-cgroup', 'banger'],
      ...['--cgroup', `memory.max=${2 ** 30 + 2 ** 28}`, '--cgroup', 'pids.max=66'],
      ...last,
    ]);
  });

  test('leaves a VMM that is known again, before and after it has become Firecracker', () => {
    const argv = jailerArgv(spec, SETTINGS, jail);
    const firecracker = ['firecracker', '--id', spec.id, '--start-time-us', '1', ...argv.slice(argv.indexOf('--') + 1)];
    const joined = ['/firecracker', `--id=${spec.id}`, `--api-sock=${jail.places.apiSocket}`];
    for (const words of [argv, firecracker, joined, ['/opt/f', '--id', spec.id, '--api-sock', '/m/qmp.sock']]) {
      expect(idInCommandLine([...words, ''], '/m/qmp.sock')).toBe('vm-0123456789');
      expect(idInCommandLine(words, '/other/qmp.sock')).toBeUndefined();
    }
    expect(idInCommandLine(['firecracker', '--api-sock'], '/m/qmp.sock')).toBeUndefined();
  });
});

test('sockets of two instances do not look alike', () => {
  expect(jailedApiSocket('/a/vm-1/qmp.sock')).not.toBe(jailedApiSocket('/b/vm-1/qmp.sock'));
});

test('the cgroup is the jail’s name below ours', () => {
  expect(cgroupDirOf(JAIL, '/sys/fs/cgroup')).toBe('/sys/fs/cgroup/banger/vm-0123456789');
});

test.each([
  [JAIL, true],
  ['/state/jails/firecracker-v1.16', false],
  ['/state/jails/firecracker-v1.16/vm-012345678', false],
  ['/state/jails/firecracker/vm-0123456789/../x', false],
  ['/state/../etc/vm-0123456789', false],
  ['jails/firecracker/vm-0123456789', false],
  ['/firecracker/vm-0123456789', false],
  ['/', false],
  ['', false],
])('%j is a jail: %s', (path, is) => {
  expect(isJailDir(path)).toBe(is);
});

describe('a jail’s user', () => {
  const range = { first: 100, count: 4 };

  test('is one that nobody has, the same for the same machine', () => {
    const owner = freeOwner('vm-1', range, new Set());
    expect(owner).toBeGreaterThanOrEqual(100);
    expect(freeOwner('vm-1', range, new Set())).toBe(owner);
    const others = [100, 101, 102, 103].filter((uid) => uid !== 101);
    expect(freeOwner('vm-1', range, new Set(others))).toBe(101);
  });

  test('is none where all are taken', () => {
    expect(freeOwner('vm-1', range, new Set([100, 101, 102, 103]))).toBeUndefined();
  });

  test.each([
    ['         0          0 4294967295\n', true],
    ['0 1000 1\n', false],
    ['0 1000 1\n1 100000 99\n', false],
    ['0 1000 1\n50 100000 54\n', true],
    ['0 1000 103\n', false],
    ['', false],
  ])('is one that this process may become: uid_map %j', (map, may) => {
    expect(coversOwners(map, range)).toBe(may);
  });
});

test.each([
  ['cpuset cpu io memory hugetlb pids rdma misc\n', true],
  ['cpu io memory\n', false],
  ['', false],
])('controllers %j are enough: %s', (controllers, enough) => {
  expect(hasControllers(controllers)).toBe(enough);
});

test.each([
  ['/state/jails', ['rw', 'nodev', 'relatime']],
  ['/state2', ['rw']],
  ['/with space/jails', ['rw', 'noexec']],
])('the mount of %s', (path, options) => {
  const mountinfo = [
    '21 1 254:0 / / rw - ext4 /dev/vda rw',
    '30 21 0:27 / /state rw,noexec shared:1 - tmpfs tmpfs rw',
    '31 30 0:28 / /state rw,nodev,relatime shared:2 - tmpfs tmpfs rw',
    '32 21 0:29 / /with\\040space rw,noexec - tmpfs tmpfs rw',
    '',
  ].join('\n');
  expect(mountOptionsAt(mountinfo, path)).toEqual(options);
});
