/** Key pairs for guests, and the known_hosts file of our own. */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, describe } from '../../core/app-error.ts';
import type { SshKeys } from '../../core/vms/ports.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { hasCode } from '../../host/error-code.ts';
import { generateKeyPair } from './key-pair.ts';
import { withoutHost, withHost } from './known-hosts.ts';

/** The ports' keys, and the private half for our own connections. */
export interface SshKeyStore extends SshKeys {
  clientPrivateKey(): Promise<string>;
}

interface SshKeysOptions {
  /** 0700; takes our own client key. */
  readonly sshDir: string;
  readonly knownHostsPath: string;
  /** `ssh_key_path` of the config: only read. */
  readonly userKeyPath: string | undefined;
}

interface ClientKey {
  readonly path: string;
  readonly privateKey: string;
  readonly publicKey: string;
}

export function createSshKeys(options: SshKeysOptions): SshKeyStore {
  const { knownHostsPath, userKeyPath } = options;
  let loading: Promise<ClientKey> | undefined;
  let pinning: Promise<void> = Promise.resolve();

  async function clientKey(): Promise<ClientKey> {
    loading ??= userKeyPath === undefined ? ownKey(options.sshDir) : userKey(userKeyPath);
    try {
      return await loading;
    } catch (error) {
      // The next caller tries again: the user may have mended what was wrong.
      loading = undefined;
      throw error;
    }
  }

  /** One change of known_hosts at a time: each reads what the one before has written. */
  async function change(edit: (text: string) => string): Promise<void> {
    const done = pinning.then(async () => {
      const before = await readIfPresent(knownHostsPath);
      const after = edit(before ?? '');
      if (after === before) return;
      await mkdir(dirname(knownHostsPath), { recursive: true, mode: 0o700 });
      await writeFileAtomic(knownHostsPath, after, { mode: 0o600 });
    });
    pinning = done.catch(() => undefined);
    return done;
  }

  return {
    clientPublicKey: async () => (await clientKey()).publicKey,
    clientPrivateKey: async () => (await clientKey()).privateKey,
    generateHostKey: async () => generateKeyPair('banger host key'),
    pin: (alias, publicKey) => change((text) => withHost(text, alias, publicKey)),
    unpin: (alias) => change((text) => withoutHost(text, alias)),
    async access(vmName, alias) {
      const { path } = await clientKey();
      return { vmName, user: 'root', identityPath: path, knownHostsPath, hostKeyAlias: alias };
    },
  };
}

async function ownKey(sshDir: string): Promise<ClientKey> {
  const path = join(sshDir, 'id_ed25519');
  const existing = await readIfPresent(path);
  if (existing !== undefined) return { path, privateKey: existing, publicKey: await derivePublicKey(path, existing) };
  const pair = await generateKeyPair('banger');
  await mkdir(sshDir, { recursive: true, mode: 0o700 });
  await writeFileAtomic(`${path}.pub`, `${pair.publicKey}\n`, { mode: 0o644 });
  await writeFileAtomic(path, pair.privateKey, { mode: 0o600 });
  return { path, ...pair };
}

async function userKey(path: string): Promise<ClientKey> {
  const privateKey = await readIfPresent(path);
  if (privateKey === undefined) {
    throw new AppError('CONFIG_INVALID', `The key ${path} (ssh_key_path) does not exist.`, { details: { path } });
  }
  return { path, privateKey, publicKey: await derivePublicKey(path, privateKey) };
}

/** Derived, not read from `.pub`: a `.pub` that belongs to another key would lock us out of every guest. */
async function derivePublicKey(path: string, privateKey: string): Promise<string> {
  // Loaded at first use, as in guest-shell.ts.
  const { default: ssh2 } = await import('ssh2');
  const key = ssh2.utils.parseKey(privateKey);
  if (key instanceof Error || !key.isPrivateKey()) {
    const why = key instanceof Error ? describe(key) : 'it is a public key';
    throw new AppError('CONFIG_INVALID', `${path} cannot be used as a private key: ${why}`, {
      hint: 'Give an OpenSSH private key without a passphrase as ssh_key_path, or take the setting out.',
      details: { path },
    });
  }
  const comment = key.comment ? ` ${key.comment}` : '';
  return `${key.type} ${key.getPublicSSH().toString('base64')}${comment}`;
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
