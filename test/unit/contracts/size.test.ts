import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exactSize, formatSize, parseSize } from '../../../src/contracts/size.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describe('parseSize', () => {
  test.each([
    ['0', 0],
    ['12', 12],
    ['12b', 12],
    ['512M', 512 * MIB],
    ['512m', 512 * MIB],
    ['512MB', 512 * MIB],
    ['512MiB', 512 * MIB],
    ['8G', 8 * GIB],
    ['1.5GiB', 1.5 * GIB],
    ['0.5K', 512],
    ['2T', 2 * 2 ** 40],
    ['007', 7],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    '',
    ' ',
    ' 8G',
    '8G ',
    '8 G',
    '8G\n',
    '8X',
    '8Gi',
    'G',
    '.5G',
    '5.G',
    '1,5G',
    '-1G',
    '+1G',
    '1e99G',
    '1e3',
    '0x10',
    'Infinity',
    'NaN',
    '5ib',
    '5i',
    '5PB',
    '1.5',
    '0.3K',
    '9007199254740992',
    '8193T',
    '１G',
    '8G; reboot',
  ])('%j is no size, and is never guessed', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  test('every whole number of bytes means itself', () => {
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => parseSize(String(bytes)) === bytes));
  });

  test('a unit multiplies, exactly', () => {
    const units = fc.constantFrom(['K', 2 ** 10] as const, ['M', MIB] as const, ['G', GIB] as const);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 22 }), fc.nat(999), units, (whole, milli, [unit, factor]) => {
        const thousandths = BigInt(whole * 1000 + milli) * BigInt(factor);
        const text = `${whole}.${String(milli).padStart(3, '0')}${unit}`;
        const expected = thousandths % 1000n === 0n ? Number(thousandths / 1000n) : undefined;
        expect(parseSize(text)).toBe(expected);
      }),
    );
  });

  test('whatever is given, the answer is a safe number or none', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const bytes = parseSize(text);
        return bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0);
      }),
    );
  });
});

describe('formatSize', () => {
  test.each([
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1K'],
    [1536, '1.5K'],
    [512 * MIB, '512M'],
    [1.5 * GIB, '1.5G'],
    [GIB - 1, '1G'],
    [10.4 * GIB, '10G'],
    [2 ** 40, '1T'],
    [2 ** 52, '4096T'],
  ])('%i bytes are written %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  test('what it writes can be read again, and is off by less than a twentieth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 49 }), (bytes) => {
        const [, number = '', unit = ''] = /^([\d.]+)([BKMGT])$/.exec(formatSize(bytes)) ?? [];
        const factor = { B: 1, K: 2 ** 10, M: MIB, G: GIB, T: 2 ** 40 }[unit] ?? Number.NaN;
        expect(Number(number)).toBeLessThan(1024);
        expect(Math.abs(Number(number) * factor - bytes)).toBeLessThanOrEqual(bytes / 20);
      }),
    );
  });
});

describe('exactSize', () => {
  test.each([
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1K'],
    [1536, '1536B'],
    [512 * MIB, '512M'],
    [1.5 * GIB, '1536M'],
    [GIB - 1, '1073741823B'],
    [2 ** 52, '4096T'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991B'],
  ])('%i bytes are written %s', (bytes, text) => {
    expect(exactSize(bytes)).toBe(text);
  });

  test('what it writes is read as the very same number', () => {
    const numbers = fc.tuple(fc.nat(2 ** 20), fc.constantFrom(1, 2 ** 10, MIB, GIB));
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => parseSize(exactSize(bytes)) === bytes));
    fc.assert(fc.property(numbers, ([count, unit]) => parseSize(exactSize(count * unit)) === count * unit));
  });
});
