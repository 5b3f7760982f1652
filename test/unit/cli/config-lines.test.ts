import fc from 'fast-check';
import { stringify } from 'smol-toml';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { configLines } from '../../../src/cli/config-lines.ts';
import { type Config, configSchema } from '../../../src/contracts/config.ts';
import { parseConfig } from '../../../src/daemon/config.ts';
import { fieldsOf } from '../../../scripts/reference/schema-fields.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const FILE = '/home/me/config.toml';
const GIT_SOURCE = { url: 'https://git.test/plugin', commit: '0123456789abcdef0123456789abcdef01234567' };

/** Every key, none of them with its default. */
const WHOLE: z.input<typeof configSchema> = {
  log_level: 'debug',
  engine: 'qemu',
  accelerator: 'tcg',
  firecracker_bin: '/opt/firecracker',
  jailer_bin: '/opt/jailer',
  qemu_bin: '/opt/qemu "new"/qemu',
  ssh_key_path: '/home/me/.ssh/banger',
  default_image_name: 'dev',
  jailer: { mode: 'off', base_dir: '/srv/jails', first_uid: 2_000_000_000 },
  network: { mode: 'host', bridge_name: 'br-1', cidr: '192.168.7.0/24', dns: '192.0.2.53', publish_ports: false },
  vm_defaults: { cpus: 4, memory: '1.5GiB', disk_size: '8G' },
  apt: { mirror: 'file:///srv/mirror', security_mirror: 'file:///srv/security', proxy: 'http://192.0.2.1:3142' },
  build: { packages: ['git', 'curl=7.88.1-10'] },
  file_sync: [
    { host: '~/.gitconfig', guest: '~/.gitconfig', mode: '0644' },
    { host: '/home/me/a b', guest: '/root/.config/a b', mode: '400' },
  ],
  sources: {
    mise_version: '2025.12.0',
    opencode_version: '1.2.3',
    tpm: GIT_SOURCE,
    tmux_resurrect: GIT_SOURCE,
    tmux_continuum: GIT_SOURCE,
  },
};

/** The config as `config show` has it from the daemon: it has been JSON on the way. */
function shown(config: Config): string {
  return `${configLines(JSON.parse(JSON.stringify(config)) as object).join('\n')}\n`;
}

function inForce(file: z.input<typeof configSchema>): Config {
  return parseConfig(stringify(file), FILE);
}

test('the defaults', () => {
  const text = shown(inForce({}));
  expect(text.trimEnd().split('\n')).toEqual([
    'log_level = "info"',
    'engine = "auto"',
    'accelerator = "auto"',
    'jailer.mode = "auto"',
    'jailer.first_uid = 1900000000',
    'network.mode = "isolated"',
    'network.bridge_name = "banger0"',
    'network.cidr = "10.77.0.0/20"',
    'network.publish_ports = true',
    'build.packages = []',
    'file_sync = []',
  ]);
  expect(parseConfig(text, FILE)).toEqual(inForce({}));
});

test('every key there is, as the file takes it', () => {
  const text = shown(inForce(WHOLE));
  const keys = text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' = ')[0]);
  expect(keys).toEqual(fieldsOf(configSchema).map(({ name }) => name));
  expect(parseConfig(text, FILE)).toEqual(inForce(WHOLE));
});

test.each([
  ['128M', '128M'],
  ['1G', '1G'],
  ['1.5GiB', '1536M'],
  ['1048576K', '1G'],
  [String(GIB + 1), '1073741825B'],
  [String(GIB + 1024), '1048577K'],
])('memory = "%s" is shown as "%s"', (written, text) => {
  const config = inForce({ vm_defaults: { memory: written } });
  expect(configLines(config)).toContain(`vm_defaults.memory = "${text}"`);
});

test('whatever is in force, what is shown means the same to the loader', () => {
  const bytes = (min: number, max: number): fc.Arbitrary<string> => fc.integer({ min, max }).map(String);
  // Paths hold every character but NUL: quotes, newlines, what turns a terminal's line around.
  const path = fc.string({ unit: 'grapheme' }).map((name) => `/${name.replaceAll('\0', '')}`);
  const hostile = fc.stringMatching(/^\/["'\\\n\r\t\u007f\u009b\u202e#=[\]{}]*$/);
  const file = fc.record(
    {
      log_level: fc.constantFrom('trace' as const, 'error' as const),
      qemu_bin: fc.oneof(path, hostile),
      ssh_key_path: fc.oneof(path, hostile),
      vm_defaults: fc.record(
        {
          cpus: fc.integer({ min: 1, max: 64 }),
          memory: bytes(128 * MIB, 2 ** 40),
          disk_size: bytes(64 * MIB, 2 ** 44),
        },
        { requiredKeys: [] },
      ),
      build: fc.record({ packages: fc.array(fc.constantFrom('git', 'g++', 'libc6:i386', 'curl=1.0~rc1')) }),
      sources: fc.record({ tpm: fc.constant(GIT_SOURCE) }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(file, (written) => {
      const config = inForce(written);
      const text = shown(config);
      expect(parseConfig(text, FILE)).toEqual(config);
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }),
  );
});

test('what a daemon of another build has in force may be beyond us, and is said to be', () => {
  const newer = { ...inForce({}), colour: 'red' };
  expect(() => configLines(newer)).toThrow(expect.objectContaining({ code: 'INTERNAL' }));
});
