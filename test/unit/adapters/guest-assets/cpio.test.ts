import { expect, test } from 'vitest';
import { cpioArchive } from '../../../../src/adapters/guest-assets/cpio.ts';

interface Member {
  readonly name: string;
  readonly mode: string;
  readonly device: string;
  readonly content: string;
}

/** A reader of its own, as the kernel reads it: each header and each content begins at a multiple of four. */
function membersOf(archive: Uint8Array): readonly Member[] {
  const bytes = Buffer.from(archive);
  const members: Member[] = [];
  for (let at = 0; at < bytes.length;) {
    expect(bytes.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number): number =>
      Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const nameBytes = field(11);
    const contentAt = Math.ceil((at + 110 + nameBytes) / 4) * 4;
    const sizeBytes = field(6);
    expect(bytes[at + 110 + nameBytes - 1]).toBe(0);
    members.push({
      name: bytes.toString('utf8', at + 110, at + 110 + nameBytes - 1),
      mode: field(1).toString(8),
      device: `${field(9)}:${field(10)}`,
      content: bytes.toString('utf8', contentAt, contentAt + sizeBytes),
    });
    at = Math.ceil((contentAt + sizeBytes) / 4) * 4;
  }
  return members;
}

test('holds every entry with its kind, mode and content, and ends with a trailer', () => {
  const archive = cpioArchive([
    { kind: 'folder', path: 'dev' },
    { kind: 'character-device', path: 'dev/console', major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, content: Buffer.from('#!/bin/sh') },
  ]);
  expect(membersOf(archive)).toEqual([
    { name: 'dev', mode: '40755', device: '0:0', content: '' },
    { name: 'dev/console', mode: '20600', device: '5:1', content: '' },
    { name: 'init', mode: '100755', device: '0:0', content: '#!/bin/sh' },
    { name: 'TRAILER!!!', mode: '0', device: '0:0', content: '' },
  ]);
});

test.each([0, 1, 2, 3, 4, 5])('a content of %i bytes keeps the next header in its place', (sizeBytes) => {
  const content = Buffer.alloc(sizeBytes, 'x');
  const archive = cpioArchive([
    { kind: 'file', path: 'a'.repeat(sizeBytes + 1), mode: 0o600, content },
    { kind: 'file', path: 'é', mode: 0o600, content },
  ]);
  expect(archive.length % 4).toBe(0);
  expect(membersOf(archive).map((member) => [member.name, member.content])).toEqual([
    ['a'.repeat(sizeBytes + 1), 'x'.repeat(sizeBytes)],
    ['é', 'x'.repeat(sizeBytes)],
    ['TRAILER!!!', ''],
  ]);
});
