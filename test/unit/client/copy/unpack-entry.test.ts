import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type EntryHeader, judgeEntry } from '../../../../src/client/copy/unpack-entry.ts';

const header = (more: Partial<EntryHeader>): EntryHeader => ({
  name: 'top/file',
  mode: 0o644,
  mtime: new Date(1_700_000_000_000),
  type: 'file',
  linkname: null,
  pax: null,
  ...more,
});

test('what is asked for has its place below the target', () => {
  expect(judgeEntry(header({ mode: 0o6755, pax: { mtime: '12.5' } }), 'top')).toEqual({
    kind: 'file',
    parts: ['file'],
    mode: 0o755,
    mtime: 12.5,
  });
  expect(judgeEntry(header({ name: './a//b/', type: 'directory' }), '.')).toMatchObject({ parts: ['a', 'b'] });
  expect(judgeEntry(header({ name: 'top/', type: 'directory' }), 'top')).toMatchObject({ parts: [] });
  expect(judgeEntry(header({ type: 'symlink', linkname: '/etc/../x' }), 'top')).toMatchObject({ target: '/etc/../x' });
  expect(judgeEntry(header({ type: 'fifo' }), 'top')).toEqual({ kind: 'skipped', what: 'fifo' });
});

describe('refused', () => {
  test.each([
    ['/top/file'],
    ['top/../../file'],
    ['..'],
    ['top/..'],
    ['other/file'],
    ['topx'],
    ['top/a\0b'],
    ['top/\ufffd'],
    [`top/${'n'.repeat(256)}`],
    [`top/${'é'.repeat(128)}`],
    [`top/${'a/'.repeat(2100)}b`],
  ])('the name %j', (name) => {
    expect(judgeEntry(header({ name }), 'top')).toHaveProperty('fault');
  });

  test.each([
    [{ type: 'link', linkname: '/etc/shadow' }],
    [{ type: null }],
    [{ type: 'symlink', linkname: '' }],
    [{ type: 'symlink', linkname: null }],
    [{ type: 'symlink', linkname: 'a\0b' }],
    [{ type: 'symlink', linkname: 'x'.repeat(5000) }],
  ] as const)('%j', (more) => {
    expect(judgeEntry(header(more), 'top')).toHaveProperty('fault');
  });
});

test('no name leads out of the target, and no time or mode is one that a file cannot have', () => {
  const name = fc.oneof(
    fc.string({ unit: fc.constantFrom('/', '.', 'a', '\0', 'top', '~', '\\'), maxLength: 12 }),
    fc.string({ unit: 'binary' }),
  );
  fc.assert(
    fc.property(name, fc.integer(), fc.oneof(fc.double(), fc.string()), (name, mode, mtime) => {
      const judged = judgeEntry(header({ name, mode, pax: { mtime } }), 'top');
      if ('fault' in judged || judged.kind === 'skipped') return;
      expect(judged.parts.some((part) => part === '' || part === '..' || part === '.' || part.includes('/'))).toBe(
        false,
      );
      expect(judged.mtime).toBeGreaterThanOrEqual(0);
      if ('mode' in judged) expect(judged.mode & ~0o777).toBe(0);
    }),
    { numRuns: 1000 },
  );
});
