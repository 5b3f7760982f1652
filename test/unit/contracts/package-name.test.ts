import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildRequestSchema, packageNameSchema } from '../../../src/contracts/build.ts';

const takes = (text: unknown): boolean => packageNameSchema.safeParse(text).success;

describe('packageNameSchema', () => {
  test.each([
    'git',
    'g++',
    'libc6',
    'libstdc++6',
    'python3.11',
    '0ad',
    'gcc-12-base',
    'libc6:amd64',
    'git=1:2.39.5-0+deb12u2',
    'git=2.39~rc1',
    'linux-image-amd64/bookworm-backports',
  ])('takes %s', (text) => {
    expect(takes(text)).toBe(true);
  });

  test.each([
    '',
    '-y',
    '--allow-unauthenticated',
    '-o=APT::Get::x',
    'git ',
    ' git',
    'git curl',
    'git;reboot',
    "git'",
    'git"',
    '$(reboot)',
    '`reboot`',
    'git\n',
    'git\ncurl',
    'git\0',
    'git|sh',
    'git>x',
    'git&',
    'git\\',
    '*',
    'lib*',
    'gi?',
    '^git$',
    '../x.deb',
    './x.deb',
    '/tmp/x.deb',
    'Git',
    'g',
    'git=',
    'git/',
    // apt takes a name that ends so for "remove it".
    'systemd-',
    'git,curl',
    'git:',
    'x'.repeat(257),
    'gït',
  ])('refuses %j', (text) => {
    expect(takes(text)).toBe(false);
  });

  test('nothing that it takes means anything to a shell, or to apt beyond a name', () => {
    const alphabet = fc.constantFrom(...'agz09+.-:=/~ $;\'"\\`*?[]{}()<>|&!#%^,@\n\t\0-'.split(''));
    const almost = fc.array(alphabet, { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(almost, fc.string()), (text) => {
        if (takes(text)) expect(text).toMatch(/^[a-z0-9][A-Za-z0-9+.:=/~-]*$/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('buildRequestSchema', () => {
  test.each([
    { from: 'base', packages: ['-y'] },
    { from: 'base', without: ['nosuch'] },
    { from: 'base', preset: 'huge' },
    { from: 'base', sizeBytes: 1.5 },
    { from: 'base', sizeBytes: -1 },
    { from: 'base', sizeBytes: Number.NaN },
    { from: 'base', kernelPath: 'vmlinuz' },
    { from: 'base', kernelPath: '/boot/\0' },
    { from: 'base', docker: 'yes' },
    { from: 'base', extra: true },
    { from: '$(reboot)' },
    {},
  ])('refuses %j', (request) => {
    expect(buildRequestSchema.safeParse(request).success).toBe(false);
  });
});
