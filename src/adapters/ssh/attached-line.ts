/** The text for the login shell that starts a program somebody is connected to. Pure. */
import { AppError } from '../../core/app-error.ts';
import type { GuestProgramSpec } from '../../core/vms/guest-program.ts';
import { quote } from './command-line.ts';

/** The kernel takes no longer argument (MAX_ARG_STRLEN in execve(2)), and the shell gets the text as one. */
const MAX_LINE_BYTES = 128 * 1024 - 1;

/**
 * The text first prints `marker` and the shell's pid, which is that of the process group. Each part stands on a line of
 * its own: a shell reads them one by one, so text of the user's that is no shell text fails as it would alone.
 *
 * @param marker letters, digits and `-`; random, so that nothing else can be taken for it.
 * @throws AppError REQUEST_INVALID for what no shell can pass on, or is longer than the kernel takes.
 */
export function attachedLine(spec: GuestProgramSpec, marker: string): string {
  const lines = [`echo ${marker} $$`, ...userLines(spec), ...folderLines(spec), commandText(spec)];
  const line = lines.join('\n');
  if (Buffer.byteLength(line) <= MAX_LINE_BYTES) return line;
  throw new AppError('REQUEST_INVALID', `The command is longer than the ${MAX_LINE_BYTES} bytes that a guest takes.`, {
    hint: 'Send what is long through stdin or as a file.',
  });
}

/** The tilde is the shell's own way to a user's home; a user that is not there is told of by runuser(1). */
function userLines({ user }: GuestProgramSpec): readonly string[] {
  if (user === undefined) return [];
  return [
    `HOME=~${user} USER=${user} LOGNAME=${user}`,
    'export HOME USER LOGNAME',
    'cd -- "$HOME" 2>/dev/null || cd /',
  ];
}

function folderLines({ workdir }: GuestProgramSpec): readonly string[] {
  if (!workdir) return [];
  // 126 is what a shell says of a command that is there and cannot be run.
  if (workdir.required) return [`cd -- ${quote(workdir.path)} || exit 126`];
  return [`cd -- ${quote(workdir.path)} 2>/dev/null || :`];
}

function commandText({ command, env, user }: GuestProgramSpec): string {
  const assignments = Object.entries(env ?? {}).map(([name, value]) => quote(`${name}=${value}`));
  const [text = '', ...args] = command;
  const isText = args.length === 0;
  const prefix = [
    ...(user === undefined ? [] : ['runuser', '-u', user, '--']),
    // As arguments: a shell may refuse to set some names itself (UID in bash).
    ...(assignments.length === 0 ? [] : ['/usr/bin/env', ...assignments]),
  ];
  if (isText && prefix.length === 0) return withoutNul(text);
  if (isText) return `exec ${[...prefix, '"${SHELL:-/bin/sh}"', '-c', quote(text)].join(' ')}`;
  if (assignments.length > 0 && text.includes('=')) {
    throw new AppError(
      'REQUEST_INVALID',
      `env takes ${JSON.stringify(text)} for one more variable, not for a program.`,
    );
  }
  // Old shells know no `--` here; no program's name begins with `-` but for a mistake.
  const dashes = prefix.length === 0 && text.startsWith('-') ? ['--'] : [];
  return `exec ${[...dashes, ...prefix, ...command.map(quote)].join(' ')}`;
}

/** Checked as a quoted word is, and left as it is. */
function withoutNul(text: string): string {
  quote(text);
  return text;
}

/** Sends a signal to every process of a group; as `killLine` of command-line.ts. */
export function signalLine(signalNumber: number, processGroup: number): string {
  return `kill -${signalNumber} -${processGroup}`;
}
