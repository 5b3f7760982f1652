import { remoteCommandIn } from '../client/shell-quote.ts';
import { runSsh } from '../client/ssh.ts';
import { launcherPath } from '../client/daemon-program.ts';
import type { Cli } from './cli.ts';
import { watchInterrupts } from './interrupt.ts';

/** ssh's own status for a connection that failed or broke (ssh(1), EXIT STATUS). */
const SSH_FAILED_STATUS = 255;

/**
 * A shell or the command after `--` in a VM.
 *
 * @returns the exit status of what ran.
 * @throws ClientError where the VM cannot be entered; Interrupted where a signal ended it.
 */
export async function enterVm(
  cli: Cli,
  name: string,
  options: {
    readonly stdout?: 'stdout' | 'stderr';
    /** Where it begins; left out: root's home. */
    readonly folder?: string | undefined;
  } = {},
): Promise<number> {
  // A signal is passed on to ssh, which then ends with 255; what it was is what we end with.
  using interrupts = watchInterrupts(2);
  const access = await cli.session.call('vmSshAccess', { params: { name } });
  interrupts.signal.throwIfAborted();
  const words = cli.guestCommand ?? [];
  const command = options.folder === undefined ? words : [remoteCommandIn(options.folder, words)];
  const terminal = command.length > 0 && cli.isInteractive && options.stdout !== 'stderr';
  const status = await runSsh(access, { launcher: launcherPath(), command, terminal }, options);
  if (status === SSH_FAILED_STATUS) {
    interrupts.signal.throwIfAborted();
    cli.output.note(`(ssh ended with status 255: the connection to ${name} failed or broke, or the command ended so)`);
  }
  return status;
}
