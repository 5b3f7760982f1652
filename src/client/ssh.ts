/** The system's ssh for people: its arguments, planned purely, and its run on our terminal. */
import type { SshAccess } from '../contracts/vm.ts';
import { attach } from '../host/process.ts';
import { remoteCommand } from './shell-quote.ts';

interface SshPlan {
  /** `bin/banger`: ssh runs it as its proxy command. */
  readonly launcher: string;
  /** What runs in the guest; a login shell where empty. */
  readonly command: readonly string[];
  /** True to give a command a terminal; a login shell always has one where we have. */
  readonly terminal: boolean;
}

/** How long the guest's sshd may take to say its first word through the tunnel, `s`. */
const CONNECT_TIMEOUT_S = 60;

/**
 * The arguments for ssh(1). No config file of the user's or the system's is read, the agent is not asked, and the
 * host key must be the one banger gave to the VM.
 */
export function sshArgv(access: SshAccess, plan: SshPlan): readonly [string, ...string[]] {
  const proxy = [plan.launcher, '__proxy', access.vmName, '22'].map(proxyWord).join(' ');
  const command = remoteCommand(plan.command);
  const options: Readonly<Record<string, string | number>> = {
    // ssh hands this to a shell, after replacing its %-tokens.
    ProxyCommand: proxy.replaceAll('%', '%%'),
    UserKnownHostsFile: configWord(access.knownHostsPath),
    GlobalKnownHostsFile: '/dev/null',
    HostKeyAlias: access.hostKeyAlias,
    StrictHostKeyChecking: 'yes',
    IdentityFile: configWord(access.identityPath),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    PreferredAuthentications: 'publickey',
    ConnectTimeout: CONNECT_TIMEOUT_S,
    LogLevel: 'ERROR',
  };
  return [
    'ssh',
    '-F',
    '/dev/null',
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    '-l',
    access.user,
    ...(plan.terminal ? ['-t'] : []),
    access.vmName,
    // ssh goes on reading options after the host's name.
    ...(command === undefined ? [] : ['--', command]),
  ];
}

/**
 * One word of a proxy command. It is read twice: by ssh, which refuses quotes that do not match by its own rules (a
 * backslash counts within single quotes), and by the shell. A backslash before each character means the same to both.
 */
export function proxyWord(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_@%+:,./\u0080-\u{10ffff}-]/gu, (character) =>
    character === '\n' ? "'\n'" : `\\${character}`,
  );
}

/** A path as one word of ssh_config(5): quoted, and with no %-token. */
export function configWord(path: string): string {
  return `"${path.replaceAll(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`;
}

/**
 * Runs ssh on our terminal.
 *
 * @returns the remote command's exit status; 255 where the connection failed; 128 + the signal's number.
 * @throws ProcessError where ssh is not installed.
 */
export function runSsh(
  access: SshAccess,
  plan: SshPlan,
  options: { readonly stdout?: 'stdout' | 'stderr' } = {},
): Promise<number> {
  // ssh runs the proxy command through $SHELL, and ours is quoted for a POSIX shell.
  return attach(sshArgv(access, plan), { ...options, env: { SHELL: '/bin/sh' } });
}
