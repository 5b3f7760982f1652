import { expect, test } from 'vitest';
import { identityFiles, mergeAuthorizedKey } from '../../../../src/core/vms/guest-identity.ts';

const KEY = 'ssh-ed25519 AAAAC3Nza banger';

test.each([
  { name: 'an empty file', existing: '', expected: `${KEY}\n` },
  { name: 'the user’s own keys', existing: 'ssh-rsa AAAAB3 me@home\n', expected: `ssh-rsa AAAAB3 me@home\n${KEY}\n` },
  { name: 'no newline at the end', existing: 'ssh-rsa AAAAB3 me', expected: `ssh-rsa AAAAB3 me\n${KEY}\n` },
  {
    name: 'our key under another comment',
    existing: 'ssh-ed25519 AAAAC3Nza old\n',
    expected: 'ssh-ed25519 AAAAC3Nza old\n',
  },
  {
    name: 'our key behind options',
    existing: 'restrict ssh-ed25519 AAAAC3Nza x\n',
    expected: 'restrict ssh-ed25519 AAAAC3Nza x\n',
  },
])('our key joins $name once', ({ existing, expected }) => {
  const merged = mergeAuthorizedKey(existing, KEY);
  expect(merged).toBe(expected);
  expect(mergeAuthorizedKey(merged, KEY)).toBe(merged);
});

test('secrets are readable by root alone, names are the guest’s', () => {
  const files = identityFiles({
    hostname: 'calm-otter',
    hostPrivateKey: 'PRIVATE',
    hostPublicKey: 'ssh-ed25519 HOST',
    clientPublicKey: KEY,
    authorizedKeys: '',
  });
  const byPath = new Map(files.map((file) => [file.path, file]));
  expect(byPath.get('/etc/ssh/ssh_host_ed25519_key')).toMatchObject({ mode: 0o600, content: 'PRIVATE' });
  expect(byPath.get('/root/.ssh/authorized_keys')).toMatchObject({ mode: 0o600 });
  expect(byPath.get('/etc/hostname')?.content).toBe('calm-otter\n');
  expect(byPath.get('/etc/hosts')?.content).toContain('127.0.1.1 calm-otter\n');
});
