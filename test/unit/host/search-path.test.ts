import { expect, test } from 'vitest';
import { searchPath } from '../../../src/host/search-path.ts';

test.each([
  ['/usr/bin:/bin', '/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin'],
  ['/usr/sbin:/usr/bin', '/usr/sbin:/usr/bin:/usr/local/sbin:/sbin'],
  [undefined, '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin'],
  // An empty entry would mean the current folder: whatever lies there is never run.
  ['/usr/bin::', '/usr/bin:/usr/local/sbin:/usr/sbin:/sbin'],
])('%j', (path, expected) => {
  expect(searchPath(path)).toBe(expected);
});
