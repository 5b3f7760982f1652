import { describe, expect, test } from 'vitest';
import { ClientError } from '../../../../src/client/client-error.ts';
import { parseCopyEnd, planLanding, readPath } from '../../../../src/client/copy/copy-path.ts';

test.each([
  ['box:/etc/hosts', { kind: 'guest', vmName: 'box', path: '/etc/hosts' }],
  ['box:notes.txt', { kind: 'guest', vmName: 'box', path: '/root/notes.txt' }],
  ['box:', { kind: 'guest', vmName: 'box', path: '/root/' }],
  ['calm-otter:/a b/\n', { kind: 'guest', vmName: 'calm-otter', path: '/a b/\n' }],
  ['box:/a:b', { kind: 'guest', vmName: 'box', path: '/a:b' }],
  ['./box:/x', { kind: 'host', path: './box:/x' }],
  ['/tmp/a:b', { kind: 'host', path: '/tmp/a:b' }],
  ['C:/x', { kind: 'host', path: 'C:/x' }],
  ['-box:/x', { kind: 'host', path: '-box:/x' }],
  ['', { kind: 'host', path: '' }],
  ['-', { kind: 'stream' }],
] as const)('%j is read', (text, end) => {
  expect(parseCopyEnd(text)).toEqual(end);
});

test.each([
  ['/a/b', { path: '/a/b', parent: '/a', name: 'b', contentsOnly: false, mustBeFolder: false }],
  ['/a/b/', { path: '/a/b', parent: '/a', name: 'b', contentsOnly: false, mustBeFolder: true }],
  ['/a/b/.', { path: '/a/b', parent: '/a', name: 'b', contentsOnly: true, mustBeFolder: true }],
  ['/a/./x/../b//', { path: '/a/b', parent: '/a', name: 'b', contentsOnly: false, mustBeFolder: true }],
  ['/', { path: '/', parent: '/', name: '', contentsOnly: true, mustBeFolder: true }],
  ['/.hidden', { path: '/.hidden', parent: '/', name: '.hidden', contentsOnly: false, mustBeFolder: false }],
])('%j means', (path, written) => {
  expect(readPath(path)).toEqual(written);
});

describe('where a source lands', () => {
  const target = (path: string, kind: 'absent' | 'file' | 'folder' | 'other', parentIsFolder = true) => ({
    written: readPath(path),
    kind,
    parentIsFolder,
  });
  const source = (path: string, kind: 'absent' | 'file' | 'folder' | 'link' | 'other') => ({
    written: readPath(path),
    kind,
  });

  test.each([
    ['a file into a folder', source('/s/f', 'file'), target('/t/d', 'folder'), ['/t/d', 'f']],
    ['a file under a new name', source('/s/f', 'file'), target('/t/n', 'absent'), ['/t', 'n']],
    ['a file over a file', source('/s/f', 'file'), target('/t/n', 'file'), ['/t', 'n']],
    ['a link as a file', source('/s/l', 'link'), target('/t/n', 'absent'), ['/t', 'n']],
    ['a folder into a folder', source('/s/d', 'folder'), target('/t/d', 'folder'), ['/t/d', 'd']],
    ['a folder under a new name', source('/s/d', 'folder'), target('/t/n/', 'absent'), ['/t', 'n']],
    ['what is in a folder into another', source('/s/d/.', 'folder'), target('/t/d', 'folder'), ['/t/d', undefined]],
    ['what is in a folder under a new name', source('/s/d/.', 'folder'), target('/t/n', 'absent'), ['/t', 'n']],
    ['all there is', source('/', 'folder'), target('/t', 'folder'), ['/t', undefined]],
  ] as const)('%s', (_what, from, to, [folder, name]) => {
    expect(planLanding(from, to)).toEqual({ folder, name });
  });

  test.each([
    ['nothing', source('/s/f', 'absent'), target('/t', 'folder'), /\/s\/f does not exist/],
    ['a device', source('/dev/null', 'other'), target('/t', 'folder'), /neither a file nor a folder/],
    ['a file that is said to be a folder', source('/s/f/', 'file'), target('/t', 'folder'), /\/s\/f is not a folder/],
    ['a folder over a file', source('/s/d', 'folder'), target('/t/f', 'file'), /is a file/],
    [
      'a file into a folder that is not there',
      source('/s/f', 'file'),
      target('/t/n/', 'absent'),
      /\/t\/n is not a folder/,
    ],
    ['a file into a file', source('/s/f', 'file'), target('/t/f/', 'file'), /\/t\/f is not a folder/],
    ['where no parent is', source('/s/f', 'file'), target('/t/x/n', 'absent', false), /folder \/t\/x does not exist/],
    ['over a device', source('/s/f', 'file'), target('/dev/null', 'other'), /neither a file nor a folder/],
  ] as const)('refused: %s', (_what, from, to, words) => {
    expect(() => planLanding(from, to)).toThrow(ClientError);
    expect(() => planLanding(from, to)).toThrow(words);
  });
});
