/** A real sshd on loopback, with keys made for it alone; it lets in the user who runs the tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { GuestTarget } from '../../src/core/vms/ports.ts';

export interface LocalSshd extends AsyncDisposable {
  readonly target: GuestTarget;
  /** A folder of its own, removed with it. */
  readonly dir: string;
  /** Ends it and every connection it has. */
  stop(): Promise<void>;
}

interface SshdKeys {
  readonly hostKey: { readonly privateKey: string; readonly publicKey: string };
  readonly clientPublicKey: string;
}

export async function startSshd(keys: SshdKeys): Promise<LocalSshd> {
  const dir = await mkdtemp(join(tmpdir(), 'banger-sshd-'));
  const hostKeyPath = join(dir, 'host_key');
  const authorizedPath = join(dir, 'authorized_keys');
  await writeFile(hostKeyPath, keys.hostKey.privateKey, { mode: 0o600 });
  await writeFile(authorizedPath, `${keys.clientPublicKey}\n`, { mode: 0o600 });
  // Where sshd lets its unprivileged half live (sshd(8)); only root's sshd needs it.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await freePort();
  const config = [
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKeyPath}`,
    `AuthorizedKeysFile ${authorizedPath}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    'PidFile none',
    // Nobody's own shell start-up files: they may take as long as they like.
    `SetEnv HOME=${dir}`,
    'LogLevel VERBOSE',
  ];
  const configPath = join(dir, 'sshd_config');
  await writeFile(configPath, `${config.join('\n')}\n`);
  // Ended by the kernel should the tests be killed before they can end it.
  const argv = ['--pdeathsig', 'TERM', '--', '/usr/sbin/sshd', '-D', '-e', '-f', configPath, '-p', String(port)];
  const child = spawn('setpriv', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  await listening(child);
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped || child.pid === undefined) return;
    stopped = true;
    child.kill('SIGTERM');
    await exited;
    await rm(dir, { recursive: true, force: true });
  };
  return {
    target: {
      address: '127.0.0.1',
      port,
      user: userInfo().username,
      hostPublicKey: keys.hostKey.publicKey,
    },
    dir,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function listening(child: ChildProcess): Promise<void> {
  if (!child.stderr) throw new Error('sshd has no stderr');
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      said.push(line);
      if (line.startsWith('Server listening')) resolve();
    });
    child.once('exit', () => reject(new Error(`sshd did not start: ${said.join('\n')}`)));
    child.once('error', reject);
  });
}

/** A port that was free a moment ago: sshd cannot choose one itself. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
