import { expect, test } from 'vitest';
import { holeSize } from '../../../../src/adapters/firecracker/bounded-files.ts';

test.each([
  ['small', 1_000, 4_096, 0],
  ['as large as it may be', 16_384, 16_384, 0],
  ['too large: half of what it may take is left', 20_480, 20_480, 12_288],
  ['with a hole already', 1_000_000, 8_192, 0],
  ['with a hole, and too large again', 1_000_000, 20_480, 991_232],
])('a file that is %s', (_what, sizeBytes, takenBytes, holeBytes) => {
  expect(holeSize(sizeBytes, takenBytes, 16_384)).toBe(holeBytes);
});
