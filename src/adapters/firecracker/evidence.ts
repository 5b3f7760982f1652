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

/** Both ways of writing it: which one the jailer chooses for Firecracker is not ours. */
function valueOf(argv: readonly string[], flag: string): string | undefined {
  const at = argv.indexOf(flag);
  if (at !== -1) return argv[at + 1];
  return argv.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1);
}
