import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSshKeys } from '../../../src/adapters/ssh/keys.ts';
import { run } from '../../../src/host/process.ts';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'banger-keys-'));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

function keys(userKeyPath?: string): ReturnType<typeof createSshKeys> {
  return createSshKeys({ sshDir: join(root, 'ssh'), knownHostsPath: join(root, 'ssh', 'known_hosts'), userKeyPath });
}

const withoutComment = (key: string): string => key.split(' ').slice(0, 2).join(' ');

test('the client key is made once, private, and read by OpenSSH', async () => {
  const store = keys();
  const [first, second] = await Promise.all([store.clientPublicKey(), store.clientPublicKey()]);
  expect(first).toBe(second);
  expect(await keys().clientPublicKey()).toBe(first);
  const path = join(root, 'ssh', 'id_ed25519');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(join(root, 'ssh'))).mode & 0o777).toBe(0o700);
  const { stdout } = await run(['ssh-keygen', '-y', '-f', path]);
  expect(withoutComment(stdout.trim())).toBe(withoutComment(first));
  expect((await readFile(`${path}.pub`, 'utf8')).trim()).toBe(first);
});

test('every host key is fresh, and OpenSSH and ssh2 read it', async () => {
  const store = keys();
  const pairs = await Promise.all(Array.from({ length: 8 }, () => store.generateHostKey()));
  expect(new Set(pairs.map((pair) => pair.publicKey)).size).toBe(8);
  for (const [index, pair] of pairs.entries()) {
    const path = join(root, `host-${index}`);
    await writeFile(path, pair.privateKey, { mode: 0o600 });
    const { stdout } = await run(['ssh-keygen', '-y', '-f', path]);
    expect(stdout.trim()).toBe(pair.publicKey);
    expect(ssh2.utils.parseKey(pair.privateKey)).toMatchObject({ type: 'ssh-ed25519', comment: 'banger host key' });
  }
});

test('a key of the user is only read, whatever lies beside it', async () => {
  const path = join(root, 'mine');
  await run(['ssh-keygen', '-q', '-t', 'rsa', '-b', '2048', '-N', '', '-C', 'me@here', '-f', path]);
  const publicKey = (await readFile(`${path}.pub`, 'utf8')).trim();
  await writeFile(`${path}.pub`, 'ssh-rsa WRONG');
  const store = keys(path);
  expect(await store.clientPublicKey()).toBe(publicKey);
  expect(await store.access('box', 'vm-1')).toEqual({
    vmName: 'box',
    user: 'root',
    identityPath: path,
    knownHostsPath: join(root, 'ssh', 'known_hosts'),
    hostKeyAlias: 'vm-1',
  });
});

test('a key that cannot be used is the config’s fault', async () => {
  const locked = join(root, 'locked');
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', 'passphrase', '-f', locked]);
  await expect(keys(locked).clientPublicKey()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(keys(`${locked}.pub`).clientPublicKey()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  const store = keys(join(root, 'later'));
  await expect(store.clientPublicKey()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(root, 'later')]);
  expect(await store.clientPublicKey()).toMatch(/^ssh-ed25519 /);
});

test('pins many hosts at once, replaces and unpins', async () => {
  const store = keys();
  const { publicKey } = await store.generateHostKey();
  await Promise.all(Array.from({ length: 20 }, (_, n) => store.pin(`vm-${n}`, publicKey)));
  await Promise.all([store.unpin('vm-3'), store.pin('vm-4', 'ssh-ed25519 OTHER'), store.unpin('nosuch')]);
  const path = join(root, 'ssh', 'known_hosts');
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  expect(lines).toHaveLength(19);
  expect(lines).toContain('vm-4 ssh-ed25519 OTHER');
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const { stdout } = await run(['ssh-keygen', '-F', 'vm-7', '-f', path]);
  expect(stdout).toContain(withoutComment(publicKey));
});
