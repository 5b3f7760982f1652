import { expect, test } from 'vitest';
import { AGENT_BINARY, AGENT_LINK } from '../../../../src/core/builds/rootfs-files.ts';
import { FIRST_FILES, FIRST_LINKS, REACHED_BY } from '../../../../src/adapters/bootstrap/first-files.ts';
import { BOOT_PACKAGES, mmdebstrapArgv } from '../../../../src/adapters/bootstrap/package-set.ts';

const plain = {
  program: 'mmdebstrap',
  release: 'bookworm',
  packages: ['git', 'less'],
  tarPath: '/staging/packages.tar',
  hookPath: '/staging/setup-hook.sh',
} as const;

test('as an ordinary user mmdebstrap makes its own namespaces', () => {
  expect(mmdebstrapArgv({ ...plain, mode: 'unshare' })).toEqual([
    'mmdebstrap',
    '--variant=minbase',
    '--mode=unshare',
    '--format=tar',
    `--include=${BOOT_PACKAGES.join(',')},git`,
    '--setup-hook=/staging/setup-hook.sh',
    'bookworm',
    '/staging/packages.tar',
  ]);
});

test('as root it is given namespaces that end with it', () => {
  const argv = mmdebstrapArgv({ ...plain, mode: 'root' });
  const own = mmdebstrapArgv({ ...plain, mode: 'unshare' });
  expect(argv.slice(0, argv.indexOf('--'))).toEqual([
    'unshare',
    '--mount-proc',
    '--propagation=private',
    '--pid',
    '--fork',
    '--kill-child=SIGKILL',
  ]);
  expect(argv.slice(argv.indexOf('--') + 1)).toEqual(
    own.map((word) => (word === '--mode=unshare' ? '--mode=root' : word)),
  );
});

test('a first image is reached by the network script, its unit, sshd with our settings, and the agent', () => {
  expect(REACHED_BY.map(({ file }) => file.path).toSorted()).toEqual([
    '/etc/modules-load.d/banger-agent.conf',
    '/etc/ssh/sshd_config.d/50-banger.conf',
    '/etc/systemd/network/10-banger.network',
    '/etc/systemd/system/banger-agent.service',
    '/etc/systemd/system/banger-network.service',
    '/usr/local/libexec/banger-agent',
    '/usr/local/libexec/banger-agent.version',
    '/usr/local/libexec/banger-network-bootstrap',
  ]);
  expect(REACHED_BY).toContainEqual({ file: AGENT_BINARY, asset: 'built/banger-agent' });
  expect(FIRST_LINKS).toContainEqual(AGENT_LINK);
  expect(FIRST_LINKS).toContainEqual({
    path: '/etc/systemd/system/multi-user.target.wants/banger-network.service',
    target: '/etc/systemd/system/banger-network.service',
  });
  expect(FIRST_FILES.find(({ path }) => path === '/etc/machine-id')?.content).toBe('');
});
