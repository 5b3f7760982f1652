/** The one line of shell that a guest's login shell gets to see. Pure. */
import { AppError } from '../../core/app-error.ts';

/** A name that a POSIX shell takes as a variable's (XBD 3.230). */
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

interface CommandParts {
  readonly program: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Writes a program, its arguments and its environment as a command line for a POSIX shell, every value quoted.
 *
 * The line first prints `marker` and the shell's pid, then becomes the program (`exec`): sshd starts each command
 * in a session of its own, so this pid is also that of the process group that a deadline has to kill.
 *
 * @param marker letters, digits and `-`; random, so that the program's own output cannot be taken for it.
 * @throws AppError REQUEST_INVALID for what no shell can pass on: NUL bytes, a name that is no variable's.
 */
export function commandLine(command: CommandParts, marker: string): string {
  const assignments = Object.entries(command.env ?? {}).map(([name, value]) => {
    if (!VARIABLE_NAME.test(name)) {
      throw new AppError('REQUEST_INVALID', `${JSON.stringify(name)} cannot be the name of an environment variable.`);
    }
    return `${name}=${quote(value)}`;
  });
  // `env` would take a program's name with `=` in it for one more assignment.
  if (!command.program.startsWith('/') || command.program.includes('=')) {
    throw new AppError('REQUEST_INVALID', `${JSON.stringify(command.program)} is no absolute path of a program.`);
  }
  const words = [command.program, ...(command.args ?? [])].map(quote);
  // `env` takes the assignments as arguments: a shell may refuse to set some names itself (UID in bash).
  const start = assignments.length === 0 ? words : ['/usr/bin/env', ...assignments, ...words];
  return `echo ${marker} $$; exec ${start.join(' ')}`;
}

/** In single quotes nothing has a meaning but the single quote itself. */
export function quote(value: string): string {
  if (value.includes('\0')) {
    throw new AppError('REQUEST_INVALID', 'A NUL byte cannot be passed to a program in a guest.');
  }
  // A lone surrogate has no bytes in UTF-8: it would arrive as something else.
  if (!value.isWellFormed()) {
    throw new AppError(
      'REQUEST_INVALID',
      'Text that is not well-formed Unicode cannot be passed to a program in a guest.',
    );
  }
  return `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * Ends every process of a group; what ssh runs in a second channel. Root's shell may be any: dash takes neither
 * `-KILL --` nor, like busybox, a name it does not know; this form they all take.
 */
export function killLine(processGroup: number): string {
  return `kill -9 -${processGroup}`;
}
