/** By what a VMM of a machine is known again. Pure. */
import { jailedApiSocket } from './jailer.ts';

/**
 * The command line is Firecracker's or the jailer's, before the one becomes the other; both bear the API socket.
 *
 * @returns the machine's id; undefined where it is not one of ours with this control socket.
 */
export function idInCommandLine(argv: readonly string[], controlSocketPath: string): string | undefined {
  const socket = valueOf(argv, '--api-sock');
  if (socket !== controlSocketPath && socket !== jailedApiSocket(controlSocketPath)) return undefined;
  return valueOf(argv, '--id');
}

function valueOf(argv: readonly string[], flag: string): string | undefined {
  const at = argv.indexOf(flag);
  return at === -1 ? undefined : argv[at + 1];
}
