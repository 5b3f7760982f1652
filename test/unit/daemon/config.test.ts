import { describe, expect, test } from 'vitest';
import { configSchema } from '../../../src/contracts/config.ts';
import { AppError } from '../../../src/core/app-error.ts';
import { parseConfig } from '../../../src/daemon/config.ts';

const FILE = '/home/me/.config/banger/config.toml';

function refusal(text: string): AppError {
  try {
    parseConfig(text, FILE);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('was taken');
}

test('an empty file is all defaults', () => {
  expect(parseConfig('', FILE)).toEqual(configSchema.parse({}));
  expect(parseConfig('# nothing\n', FILE)).toMatchObject({
    log_level: 'info',
    network: { mode: 'isolated' },
    vm_defaults: {},
  });
});

test('keys given in any form of TOML', () => {
  const text = 'engine = "qemu"\nnetwork.mode = "host"\nvm_defaults = { memory = "512M" }\n[build]\npackages = ["jq"]';
  expect(parseConfig(text, FILE)).toMatchObject({
    engine: 'qemu',
    network: { mode: 'host', bridge_name: 'banger0' },
    vm_defaults: { memory: 512 * 2 ** 20 },
    build: { packages: ['jq'] },
  });
});

describe('files to be copied into VMs', () => {
  const entry = (host: string, guest: string, more = ''): string =>
    `[[file_sync]]\nhost = "${host}"\nguest = "${guest}"\n${more}\n`;

  test('are named with their places and modes', () => {
    const text = entry('~/.gitconfig', '~/.gitconfig') + entry('/home/me/.x', '/root/.config/x', 'mode = "0644"');
    expect(parseConfig(text, FILE, '/home/me').file_sync).toEqual([
      { host: '~/.gitconfig', guest: '~/.gitconfig', mode: 0o600 },
      { host: '/home/me/.x', guest: '/root/.config/x', mode: 0o644 },
    ]);
  });

  test.each([
    [
      'a host file of elsewhere',
      entry('/etc/passwd', '~/x'),
      '2:1: file_sync.0.host: ',
      'is not below your home, /home/me',
    ],
    ['one that only begins so', entry('/home/me2/x', '~/x'), '2:1: file_sync.0.host: ', 'is not below your home'],
    ['a way out', entry('~/../you/x', '~/x'), '2:1: file_sync.0.host: ', 'holds ".", ".."'],
    ['a relative path', entry('x', '~/x'), '2:1: file_sync.0.host: ', 'give a file as ~/NAME'],
    ['a place outside the guest’s home', entry('~/x', '/etc/shadow'), '3:1: file_sync.0.guest: ', 'give a path below'],
    ['a way out of the guest’s home', entry('~/x', '/root/../etc/shadow'), '3:1: file_sync.0.guest: ', 'holds'],
    ['the home itself', entry('~/x', '/root/'), '3:1: file_sync.0.guest: ', 'holds'],
    ['banger’s own key', entry('~/x', '/root/.ssh/authorized_keys'), '3:1: file_sync.0.guest: ', 'banger’s own key'],
    ['a quote, which no offline disk takes', entry('~/x', '~/\\"x'), '3:1: file_sync.0.guest: ', 'holds a quote'],
    ['a setuid bit', entry('~/x', '~/x', 'mode = "4755"'), '4:1: file_sync.0.mode: ', 'give permission bits'],
    ['a mode that is a number', entry('~/x', '~/x', 'mode = 600'), '4:1: file_sync.0.mode: ', 'write a mode as text'],
    ['one place twice', entry('~/x', '~/x') + entry('~/y', '/root/x'), '7:1: file_sync.1.guest: ', 'an entry before'],
    ['an entry without a place', '[[file_sync]]\nhost = "~/x"\n', '1:3: file_sync.0.guest: ', ''],
  ])('refused: %s', (_what, text, place, words) => {
    try {
      parseConfig(text, FILE, '/home/me');
    } catch (error) {
      const { message } = error as AppError;
      expect(message.startsWith(`${FILE}:${place}`)).toBe(true);
      expect(message).toContain(words);
      return;
    }
    throw new Error('was taken');
  });
});

describe('refused with its place', () => {
  test.each([
    ['no TOML', 'engine = "qemu"\nlog_level = ', '2:13: '],
    ['a key given twice', 'engine = "qemu"\nengine = "auto"', '2:1: '],
    ['an unknown key', '\nlog_levle = "info"', '2:1: log_levle: there is no such key; did you mean "log_level"?'],
    ['a key far from any', 'frobnicate = 1', '1:1: frobnicate: there is no such key; known keys: log_level, engine'],
    [
      'a key of a table',
      '[network]\nmode = "host"\ncdir = "10.0.0.0/24"',
      '3:1: network.cdir: there is no such key; did you mean "cidr"?',
    ],
    [
      'a key of a table of a table',
      '[sources.tpm]\nurl = "https://x"\ncomit = "0"',
      'sources.tpm.comit: there is no such key; did you mean "commit"?',
    ],
    ['a table where none is', '[networks]', '1:2: networks: there is no such key; did you mean "network"?'],
    ['a choice that is none', 'engine = "xen"', '1:1: engine: "xen" is not one of auto, qemu, firecracker'],
    [
      'a choice misspelt',
      'engine = "quemu"',
      '1:1: engine: "quemu" is not one of auto, qemu, firecracker; did you mean "qemu"?',
    ],
    ['a wrong type', '[vm_defaults]\ncpus = "two"', '2:1: vm_defaults.cpus: "two" is given, a number is expected'],
    ['a value for a table', 'network = 1', '1:1: network: 1 is given, a table is expected'],
    [
      'a number for a size',
      'vm_defaults.memory = 1024',
      '1:13: vm_defaults.memory: 1024: write a size as text, such as "1G"',
    ],
    [
      'a size out of bounds',
      'vm_defaults.memory = "12"',
      'vm_defaults.memory: "12": must be at least 128M and at most 1T',
    ],
    ['no network', 'network.cidr = "10.77.0.0"', '1:9: network.cidr: "10.77.0.0": give an IPv4 network such as'],
    ['a size that is none', '[vm_defaults]\n  memory = "8X"', '2:3: vm_defaults.memory: "8X": not a size; write'],
    [
      'an element',
      '[build]\npackages = [\n  "jq",\n  "-y",\n]',
      '4:3: build.packages.1: "-y": not a Debian package name',
    ],
    ['a missing key', '[sources]\ntpm = { url = "https://x" }', '2:1: sources.tpm.commit: missing, text is expected'],
  ])('%s', (_, text, words) => {
    const error = refusal(text);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain(/^\d/.test(words) ? `${FILE}:${words}` : words);
    expect(error.details['path']).toBe(FILE);
  });

  test('every fault, not only the first', () => {
    const error = refusal('engine = "xen"\nfrob = 1\n[network]\nmode = "open"');
    expect(error.message.split('\n')).toHaveLength(3);
    expect(error.details['faults']).toHaveLength(3);
    expect(error.details['faults']).toContainEqual({
      line: 4,
      column: 1,
      key: 'network.mode',
      message: expect.stringContaining('isolated'),
    });
  });
});
