import { expect, test } from 'vitest';
import {
  failureLines,
  parseStats,
  planWrites,
  quote,
  statScript,
} from '../../../../src/adapters/disks/debugfs-script.ts';
import type { GuestEntry } from '../../../../src/adapters/disks/guest-tree.ts';
import { AppError } from '../../../../src/core/app-error.ts';

const folder = { type: 'folder' } as const;
const absent = { type: 'absent' } as const;
const file = { type: 'file', sizeBytes: 1 } as const;
const link = (target: string): GuestEntry => ({ type: 'symlink', target });

function known(entries: Record<string, GuestEntry>): Map<string, GuestEntry> {
  return new Map(Object.entries(entries));
}

test('asks for every folder and entry it does not know', () => {
  expect(planWrites({ files: [{ path: '/a/b/c', content: '', mode: 0o600 }] }, known({ '/a': folder }))).toEqual({
    unknown: ['/a/b', '/a/b/c'],
  });
});

test('makes missing parents, removes what is there, then writes with owner root and the whole mode', () => {
  const plan = planWrites(
    {
      files: [{ path: '/root/.ssh/authorized keys', content: '', mode: 0o600 }],
      symlinks: [
        { path: '/etc/a.service', target: '../lib/a.service' },
        { path: '/etc/b.service', target: 'b' },
      ],
    },
    known({
      '/root': folder,
      '/root/.ssh': absent,
      '/root/.ssh/authorized keys': absent,
      '/etc': folder,
      '/etc/a.service': link('/dev/null'),
      '/etc/b.service': absent,
    }),
  );
  expect('script' in plan && plan.script.split('\n')).toEqual([
    'mkdir "/root/.ssh"',
    'write content-0 "/root/.ssh/authorized keys"',
    'set_inode_field "/root/.ssh/authorized keys" mode 0100600',
    'set_inode_field "/root/.ssh/authorized keys" uid 0',
    'set_inode_field "/root/.ssh/authorized keys" gid 0',
    'rm "/etc/a.service"',
    'symlink "/etc/a.service" "../lib/a.service"',
    'symlink "/etc/b.service" "b"',
    '',
  ]);
});

test('follows symlinks among folders, inside the filesystem, and never the last name', () => {
  const entries = { files: [{ path: '/lib/sub/x', content: '', mode: 0o600 }] };
  const facts = { '/lib': link('usr/lib'), '/usr': folder, '/usr/lib': folder, '/usr/lib/sub': link('/../opt') };
  expect(planWrites(entries, known({ '/lib': link('usr/lib') }))).toEqual({
    unknown: ['/usr', '/usr/lib', '/usr/lib/sub', '/usr/lib/sub/x'],
  });
  expect(planWrites(entries, known(facts))).toEqual({ unknown: ['/opt', '/opt/x'] });
  const plan = planWrites(entries, known({ ...facts, '/opt': absent, '/opt/x': absent }));
  expect(plan).toMatchObject({ script: expect.stringMatching(/^mkdir "\/opt"\nwrite content-0 "\/opt\/x"\n/) });
});

test('the same entry twice is replaced by the later one', () => {
  const files = [1, 2].map((n) => ({ path: '/x', content: `${n}`, mode: 0o600 }));
  const plan = planWrites({ files }, known({ '/x': absent }));
  expect('script' in plan && plan.script.match(/^(rm|write).*$/gm)).toEqual([
    'write content-0 "/x"',
    'rm "/x"',
    'write content-1 "/x"',
  ]);
});

test.each([
  ['a folder is there', { '/a': folder, '/a/b': folder }],
  ['/a is a file', { '/a': file, '/a/b': absent }],
  ['/a is a other', { '/a': { type: 'other', words: 'FIFO' } as const }],
  ['/a is a symlink', { '/a': link('a') }],
  ['/a is a symlink', { '/a': { type: 'symlink', target: undefined } as const }],
])('refuses to write /a/b: %s', (words, facts) => {
  expect(() => planWrites({ files: [{ path: '/a/b', content: '', mode: 0o600 }] }, known(facts))).toThrow(words);
});

test.each([
  'relative',
  '/a"b',
  '/a\nrm /b',
  '/a\0b',
  '/a\rb',
  '/a\u0085b',
  '/a/../b',
  '/./b',
  '/a//b',
  '/a/',
  '/',
  '',
  `/${'x'.repeat(256)}`,
  `/${'y/'.repeat(2050)}z`,
])('refuses the path %j', (path) => {
  expect(() => quote(path)).toThrow(AppError);
});

test.each(['', 'a"b', 'a\nb', 'x'.repeat(4096)])('refuses the symlink target %j', (target) => {
  expect(() => planWrites({ files: [], symlinks: [{ path: '/a', target }] }, known({ '/a': absent }))).toThrow(
    AppError,
  );
});

test.each([0o10000, -1, 1.5])('refuses the mode %j', (mode) => {
  expect(() => planWrites({ files: [{ path: '/a', content: '', mode }] }, known({ '/a': absent }))).toThrow(AppError);
});

test.each(["/a b'c\\d$e;f", '/-x', '/#x', '/ä/ö', '/<12>'])('takes the path %j', (path) => {
  expect(quote(path)).toBe(`"${path}"`);
});

test('everything but the banner is a failure', () => {
  expect(failureLines('debugfs 1.47.0 (5-Feb-2023)\nrm: file is a directory\n\n')).toEqual(['rm: file is a directory']);
});

test('reads what stat says of each path', () => {
  const paths = ['/file', '/gone', '/link', '/slow', '/dev/null', '/etc'];
  const stdout = [
    'debugfs: stat "/file"',
    'Inode: 103   Type: regular    Mode:  0644   Flags: 0x80000',
    'User:     0   Group:     0   Project:     0   Size: 6',
    'debugfs: stat "/gone"',
    'debugfs: stat "/link"',
    'Inode: 12   Type: symlink    Mode:  0777   Flags: 0x0',
    'Fast link dest: "usr/bin"',
    'debugfs: stat "/slow"',
    'Inode: 13   Type: symlink    Mode:  0777   Flags: 0x0',
    'debugfs: stat "/dev/null"',
    'Inode: 5   Type: character special    Mode:  0600   Flags: 0x0',
    'debugfs: stat "/etc"',
    'Inode: 2   Type: directory    Mode:  0755   Flags: 0x0',
    '',
  ].join('\n');
  expect(statScript(['/file', '/gone'])).toBe('stat "/file"\nstat "/gone"\n');
  expect(Object.fromEntries(parseStats(stdout, paths))).toEqual({
    '/file': { type: 'file', sizeBytes: 6 },
    '/gone': { type: 'absent' },
    '/link': { type: 'symlink', target: 'usr/bin' },
    '/slow': { type: 'symlink', target: undefined },
    '/dev/null': { type: 'other', words: 'character special' },
    '/etc': { type: 'folder' },
  });
});
