import { describe, expect, test } from 'vitest';
import { configSchema } from '../../../src/contracts/config.ts';

const COMMIT = '0123456789abcdef0123456789abcdef01234567';

describe('configSchema', () => {
  test('an empty file is a whole config', () => {
    expect(configSchema.parse({})).toEqual({
      log_level: 'info',
      engine: 'auto',
      accelerator: 'auto',
      jailer: { mode: 'auto', first_uid: 1_900_000_000 },
      network: { mode: 'isolated', bridge_name: 'banger0', cidr: '10.77.0.0/20', publish_ports: true },
      vm_defaults: {},
      apt: {},
      build: { packages: [] },
      sources: {},
      file_sync: [],
    });
  });

  test.each([
    { network: { bridge_name: 'br-1', cidr: '192.168.7.0/24', dns: '192.0.2.53' } },
    { vm_defaults: { memory: '1.5GiB', disk_size: '8G', cpus: 4 } },
    { apt: { mirror: 'file:///srv/mirror', security_mirror: 'http://s.test/x', proxy: 'http://192.0.2.1:3142' } },
    { sources: { tpm: { url: 'ssh://git@git.test/tpm', commit: COMMIT }, mise_version: '2025.12.0' } },
    { qemu_bin: '/opt/qemu/bin/qemu-system-x86_64', ssh_key_path: '/home/ann/.ssh/id_ed25519' },
  ])('takes %j', (file) => {
    expect(configSchema.safeParse(file).error).toBeUndefined();
  });

  test.each([
    ['a key that does not exist', { colour: 'red' }],
    ['a key in the wrong table', { cidr: '10.0.0.0/8' }],
    ['a misspelt key in a table', { network: { cird: '10.0.0.0/8' } }],
    ['no network', { network: { cidr: '10.77.0.0' } }],
    ['an IPv6 network', { network: { cidr: 'fd00::/64' } }],
    ['an octet too large', { network: { cidr: '10.77.0.256/24' } }],
    ['a bridge name that is too long', { network: { bridge_name: 'abcdefghijk' } }],
    ['a bridge name that is an option', { network: { bridge_name: '-br' } }],
    ['a bridge name with a blank', { network: { bridge_name: 'br 0' } }],
    ['a name server by name', { network: { dns: 'resolver.test' } }],
    ['a relative path', { qemu_bin: 'qemu-system-x86_64' }],
    ['a size that is none', { vm_defaults: { memory: '12X' } }],
    ['a number for a size', { vm_defaults: { memory: 1024 } }],
    ['memory that no guest boots with', { vm_defaults: { memory: '12' } }],
    ['memory beyond every machine', { vm_defaults: { memory: '2T' } }],
    ['a disk smaller than any system', { vm_defaults: { disk_size: '1M' } }],
    ['no processor', { vm_defaults: { cpus: 0 } }],
    ['half a processor', { vm_defaults: { cpus: 1.5 } }],
    ['a mirror that is no URL', { apt: { mirror: 'mirror.test/debian' } }],
    ['a security mirror that is no URL', { apt: { security_mirror: 's.test/debian' } }],
    ['a mirror with a quote', { apt: { mirror: "http://mirror.test/'debian" } }],
    ['a mirror with a newline', { apt: { mirror: 'http://mirror.test/\ndeb x' } }],
    ['a mirror that is an option', { apt: { mirror: '--option' } }],
    ['a source without its commit', { sources: { tpm: { url: 'https://git.test/tpm' } } }],
    ['a branch for a commit', { sources: { tpm: { url: 'https://git.test/tpm', commit: 'master' } } }],
    ['a version range', { sources: { mise_version: '^2025.12.0' } }],
    ['a hostile package', { build: { packages: ['git', '-y'] } }],
    ['a mode that does not exist', { network: { mode: 'bridge' } }],
    ['an engine that does not exist', { engine: 'xen' }],
  ])('refuses %s', (_what, file) => {
    expect(configSchema.safeParse(file).success).toBe(false);
  });
});
