/** Words a shell takes for its own grammar where a command could stand (POSIX 2.4, and those of bash and zsh). */
const RESERVED = new Set(
  'if then else elif fi do done case esac while until for in select function time coproc repeat foreach end nocorrect'.split(
    ' ',
  ),
);

/**
 * One word for a POSIX shell: whatever it holds, the shell reads it as this very text.
 * A NUL cannot be in any argument of a program and is refused.
 */
export function shellQuote(text: string): string {
  if (text.includes('\0')) throw new TypeError('an argument cannot hold a NUL byte');
  // No "=": `A=b` as first word would be an assignment, and zsh expands `=ls`.
  if (/^[A-Za-z0-9_@%+:,./-]+$/.test(text) && !RESERVED.has(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A command for the shell of a remote login, as sshd runs it. One argument is shell text, as with ssh itself
 * (`'ls | wc -l'`); several are the words of a command and reach it exactly as they are.
 *
 * @returns undefined for no argument: a login shell.
 */
export function remoteCommand(args: readonly string[]): string | undefined {
  return args.length <= 1 ? args[0] : args.map(shellQuote).join(' ');
}

/**
 * The same in a folder; without arguments a login shell. The command stands on a line of its own: text of the user's that
 * is no shell text fails as it would alone.
 */
export function remoteCommandIn(folder: string, args: readonly string[]): string {
  // 126 is what a shell says of a command that is there and cannot be run.
  const enter = `cd -- ${shellQuote(folder)} || exit 126`;
  return `${enter}\n${remoteCommand(args) ?? 'exec "${SHELL:-/bin/sh}" -l'}`;
}
