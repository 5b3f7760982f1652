import { expect, test } from 'vitest';
import { parseDpkgStatus } from '../../../../src/core/images/dpkg-status.ts';

const STATUS = `Package: zstd
Status: install ok installed
Version: 1.5.4+dfsg2-5
Description: fast lossless compression algorithm
 Version: 9 is only a word in a description

Package: apt
Status: install ok installed
Version: 2.6.1

Package: removed
Status: deinstall ok config-files
Version: 1.0

Package: half
Status: install ok half-installed
Version: 2.0
`;

test('installed packages only, sorted by name', () => {
  expect(parseDpkgStatus(STATUS)).toEqual(['apt 2.6.1', 'zstd 1.5.4+dfsg2-5']);
});

test('an empty record is no package', () => {
  expect(parseDpkgStatus('')).toEqual([]);
});
