/** A connection of the system's ssh to a guest that is kept, as a person who runs many commands would have it. */
import { join } from 'node:path';
import { sshArgv } from '../src/client/ssh.ts';
import type { SshAccess } from '../src/contracts/vm.ts';
import type { Undo } from '../src/core/undo.ts';
import { run } from '../src/host/process.ts';
import { type Banger, LAUNCHER } from './banger.ts';

const TIMEOUT_MS = 2 * 60_000;

type Argv = readonly [string, ...string[]];

export interface KeptSsh {
  /** Runs a command in the guest over the connection. */
  command(words: readonly string[]): Argv;
  /** Copies a file into the guest over a connection of its own. */
  copy(hostPath: string, guestPath: string): Argv;
  readonly env: Readonly<Record<string, string>>;
}

/** @param dir takes the connection's socket. */
export async function keepSsh(
  banger: Banger,
  access: SshAccess,
  { dir, undo, signal }: { readonly dir: string; readonly undo: Undo; readonly signal: AbortSignal },
): Promise<KeptSsh> {
  const [program, ...plain] = sshArgv(access, { launcher: LAUNCHER, command: [], terminal: false });
  const shared = ['-o', `ControlPath=${join(dir, 'ssh')}`];
  const env = { BANGER_HOME: banger.paths.homePath };
  const options = { env, signal, timeoutMs: TIMEOUT_MS };
  // Only with ControlPersist does ssh take its stderr from the proxy command, which would hold ours open (sshconnect.c).
  const master = ['-o', 'ControlMaster=yes', '-o', 'ControlPersist=yes', '-f', '-N'];
  await run([program, ...shared, ...master, ...plain], options);
  undo.add('the kept connection', async () => {
    await run([program, ...shared, '-O', 'exit', ...plain], { env, timeoutMs: TIMEOUT_MS, okStatuses: [0, 255] });
  });
  // What is meant for ssh alone comes from there on.
  const common = plain.slice(0, plain.indexOf('-l'));
  return {
    env,
    command: (words) => [program, ...shared, ...plain, '--', ...words],
    copy: (hostPath, guestPath) => ['scp', '-q', ...common, hostPath, `${access.user}@${access.vmName}:${guestPath}`],
  };
}
