/** Lines of a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT); one for each alias. Pure. */

/** The text with `alias` pinned to `publicKey` (`ssh-ed25519 AAAA...`) and to nothing else. */
export function withHost(text: string, alias: string, publicKey: string): string {
  const [type, key] = publicKey.trim().split(/\s+/);
  return `${withoutHost(text, alias)}${alias} ${type} ${key}\n`;
}

export function withoutHost(text: string, alias: string): string {
  const kept = text.split('\n').filter((line) => line !== '' && line.split(' ')[0] !== alias);
  return kept.map((line) => `${line}\n`).join('');
}
