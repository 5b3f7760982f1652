/** What the user's own ssh needs to reach VMs as `NAME.vm`, and the lines that lead to it. Pure. */
import { configWord, proxyWord } from './ssh.ts';

const VM_DOMAIN = '.vm';

export interface SshConfigFacts {
  /** `bin/banger`. */
  readonly launcher: string;
  /** BANGER_HOME, where it is set. */
  readonly movedHome: string | undefined;
  readonly identityPath: string;
  readonly vmHostsPath: string;
}

/**
 * A file for ssh(1): plain `ssh NAME.vm` and everything that runs ssh. What could bring something of the user's into a
 * VM that is not trusted (agent, X11) is off, whatever the user's own `Host *` says: the first value counts.
 */
export function sshConfigText({ launcher, movedHome, identityPath, vmHostsPath }: SshConfigFacts): string {
  const home = movedHome === undefined ? [] : ['env', `BANGER_HOME=${movedHome}`];
  const command = [...home, launcher, '__proxy'].map(proxyWord).join(' ').replaceAll('%', '%%');
  // In quotes: an ssh of before 2024 hands any host name to the shell, also one that a repository's submodule names.
  const proxy = `${command} '%h' %p`;
  const options: Readonly<Record<string, string>> = {
    User: 'root',
    ProxyCommand: proxy,
    IdentityFile: configWord(identityPath),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    PreferredAuthentications: 'publickey',
    UserKnownHostsFile: configWord(vmHostsPath),
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'yes',
    CanonicalizeHostname: 'no',
    ForwardAgent: 'no',
    ForwardX11: 'no',
    ConnectTimeout: '60',
  };
  return [
    '# Made by `banger ssh-config`, and made anew by it: a VM called NAME is NAME.vm for ssh, scp, rsync and editors.',
    `Host *${VM_DOMAIN}`,
    ...Object.entries(options).map(([name, value]) => `  ${name} ${value}`),
    '',
  ].join('\n');
}

const BEGIN = '# >>> banger ssh-config';
const END = '# <<< banger ssh-config';
/** Said in the first line where the file was not there before. */
const MADE = 'made this file';
const BLOCK = new RegExp(`^${BEGIN}[^\\n]*\\n(?:[^\\n]*\\n){0,3}?${END}[^\\n]*(?:\\n|$)`, 'm');

/**
 * The user's config with the one line that leads to ours, at the top: what is said there holds for every host.
 *
 * @param text of the file; undefined where there is none.
 */
export function withInclude(text: string | undefined, configPath: string): string {
  const wasMade = text === undefined || (BLOCK.exec(text)?.[0] ?? '').includes(MADE);
  const note = wasMade ? `; banger ${MADE}` : '';
  const block = `${BEGIN} (\`banger ssh-config --uninstall\` takes it out${note})\nInclude ${configWord(configPath)}\n${END}\n`;
  if (text === undefined) return block;
  return BLOCK.test(text) ? text.replace(BLOCK, () => block) : `${block}${text}`;
}

/** @returns the file's text as it was before; undefined where there was no file. */
export function withoutInclude(text: string): string | undefined {
  const block = BLOCK.exec(text)?.[0];
  if (block === undefined) return text;
  const rest = text.replace(BLOCK, '');
  return rest === '' && block.includes(MADE) ? undefined : rest;
}
