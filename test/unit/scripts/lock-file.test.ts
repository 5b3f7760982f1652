import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { completed, type Lock } from '../../../scripts/lock-file.ts';

test('an optional package for another platform gets its entry', () => {
  const lock: Lock = {
    packages: {
      '': {},
      'node_modules/tool': {
        version: '1.2.3',
        dev: true,
        optionalDependencies: {
          '@tool/binding-linux-x64-gnu': '1.2.3',
          '@tool/darwin-arm64': '1.2.3',
          loose: '^1.0.0',
        },
      },
      'node_modules/@tool/binding-linux-x64-gnu': { version: '1.2.3' },
    },
  };
  const { lock: whole, added } = completed(lock);
  expect(added).toEqual(['node_modules/@tool/darwin-arm64']);
  expect(whole.packages['node_modules/@tool/darwin-arm64']).toEqual({
    version: '1.2.3',
    os: ['darwin'],
    cpu: ['arm64'],
    dev: true,
    optional: true,
  });
  expect(completed(whole).added).toEqual([]);
});

test('where another version stands further up, it lies below the package that wants it', () => {
  const lock: Lock = {
    packages: {
      'node_modules/@tool/win32-x64': { version: '1.0.0' },
      'node_modules/tool': { version: '2.0.0', optionalDependencies: { '@tool/win32-x64': '2.0.0' } },
    },
  };
  expect(completed(lock).added).toEqual(['node_modules/tool/node_modules/@tool/win32-x64']);
});

test('ours is complete: `npm ci` refuses one that is not (mend it by node scripts/complete-lock.ts)', () => {
  const lock = JSON.parse(readFileSync(new URL('../../../package-lock.json', import.meta.url), 'utf8')) as Lock;
  expect(completed(lock).added).toEqual([]);
});
