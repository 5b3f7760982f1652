import { describe, expect, test } from 'vitest';
import {
  type FirecrackerVersion,
  kernelFormatsOf,
  parseVersion,
  pauseRefusal,
  versionRefusal,
  versionWarning,
} from '../../../../src/adapters/firecracker/version.ts';

function version(text: string): FirecrackerVersion {
  const parsed = parseVersion(text);
  if (!parsed) throw new TypeError(`${text} is no version`);
  return parsed;
}

test.each([
  ['Firecracker v1.16.1\n\nSupported snapshot data format version: 10.0.0', { major: 1, minor: 16, patch: 1 }],
  ['1.14.0', { major: 1, minor: 14, patch: 0 }],
  ['Jailer v1.15.2\n', { major: 1, minor: 15, patch: 2 }],
])('%j is a version', (text, parts) => {
  expect(parseVersion(text)).toMatchObject(parts);
});

test('a version that was not released keeps its name', () => {
  expect(parseVersion('Firecracker v1.17.0-dev')).toEqual({ major: 1, minor: 17, patch: 0, text: '1.17.0-dev' });
});

test.each(['', 'Firecracker', 'v1.16', '1.16.1x', 'QEMU emulator version 7.2.22x', `1.16.${'9'.repeat(99)}`])(
  '%j is none',
  (text) => {
    expect(parseVersion(text)).toBeUndefined();
  },
);

describe.each([
  ['0.25.2', 'refused', ['elf'], 'pauses'],
  ['1.13.9', 'refused', ['elf'], 'pauses'],
  ['1.14.0', 'taken', ['elf'], 'pauses'],
  ['1.15.3', 'taken', ['elf'], 'pauses'],
  ['1.16.0', 'taken', ['elf'], 'does not pause'],
  ['1.16.1', 'taken', ['elf'], 'does not pause'],
  ['1.16.2', 'taken', ['elf'], 'pauses'],
  ['1.17.0-dev', 'warned of', ['bzimage', 'elf'], 'pauses'],
  ['2.0.0', 'warned of', ['bzimage', 'elf'], 'pauses'],
] as const)('%s', (text, fate, formats, pausing) => {
  test(`is ${fate}`, () => {
    expect(versionRefusal(version(text)) !== undefined).toBe(fate === 'refused');
    expect(versionWarning(version(text)) !== undefined).toBe(fate === 'warned of');
  });

  test(`boots ${formats.join(' and ')}, and ${pausing}`, () => {
    expect(kernelFormatsOf(version(text))).toEqual(formats);
    expect(pauseRefusal(version(text)) !== undefined).toBe(pausing === 'does not pause');
  });
});
