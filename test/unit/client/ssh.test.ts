import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { sshArgv } from '../../../src/client/ssh.ts';
import type { SshAccess } from '../../../src/contracts/vm.ts';

const ACCESS: SshAccess = {
  vmName: 'calm-otter',
  user: 'root',
  identityPath: '/home/me/ssh/id_ed25519',
  knownHostsPath: '/home/me/ssh/known_hosts',
  hostKeyAlias: 'vm-0123456789',
};

test('the arguments, in full', () => {
  const argv = sshArgv(ACCESS, { launcher: '/opt/banger/bin/banger', command: ['echo', 'a b'], terminal: true });
  expect(argv).toEqual([
    ...['ssh', '-F', '/dev/null'],
    ...['-o', 'ProxyCommand=/opt/banger/bin/banger __proxy calm-otter 22'],
    ...['-o', 'UserKnownHostsFile="/home/me/ssh/known_hosts"'],
    ...['-o', 'GlobalKnownHostsFile=/dev/null'],
    ...['-o', 'HostKeyAlias=vm-0123456789'],
    ...['-o', 'StrictHostKeyChecking=yes'],
    ...['-o', 'IdentityFile="/home/me/ssh/id_ed25519"'],
    ...['-o', 'IdentitiesOnly=yes'],
    ...['-o', 'IdentityAgent=none'],
    ...['-o', 'PreferredAuthentications=publickey'],
    ...['-o', 'ConnectTimeout=60'],
    ...['-o', 'LogLevel=ERROR'],
    ...['-l', 'root', '-t', 'calm-otter', '--', "echo 'a b'"],
  ]);
});

test('a login shell has neither a command nor -t', () => {
  const argv = sshArgv(ACCESS, { launcher: '/b', command: [], terminal: false });
  expect(argv.slice(-3)).toEqual(['-l', 'root', 'calm-otter']);
});

/** Names that are hard on one of the three readers: ssh's own parser, its %-tokens, the shell. */
const folder = fc
  .array(fc.constantFrom(' ', "'", '"', '\\', '%', '%h', '$', '`', ';', '#', '(', '&', '*', '~', 'é', 'x', '='), {
    minLength: 1,
    maxLength: 10,
  })
  .map((parts) => `d${parts.join('')}d`);

test('ssh reads the paths of keys and known hosts as they are', () => {
  fc.assert(
    fc.property(folder, (name) => {
      const access = { ...ACCESS, identityPath: `/tmp/${name}/id`, knownHostsPath: `/tmp/${name}/known` };
      const [program, ...args] = sshArgv(access, { launcher: '/b', command: [], terminal: false });
      // -G prints what the options mean and connects to nothing; an identity's %-tokens are still to be replaced in it.
      const settings = execFileSync(program, ['-G', ...args], { encoding: 'utf8' }).split('\n');
      expect(settings).toContain(`identityfile ${access.identityPath.replaceAll('%', '%%')}`);
      expect(settings).toContain(`userknownhostsfile ${access.knownHostsPath}`);
    }),
    { numRuns: 60 },
  );
});

test('the proxy command reaches a launcher wherever it lies', () => {
  const root = mkdtempSync(join(tmpdir(), 'banger-ssh-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  fc.assert(
    fc.property(folder, (name) => {
      const launcher = join(root, name, 'banger');
      const told = join(root, 'told');
      mkdirSync(join(root, name), { recursive: true });
      writeFileSync(launcher, `#!/bin/sh\nprintf '%s\\n' "$0" "$@" > '${told}'\n`);
      chmodSync(launcher, 0o700);
      const [program, ...args] = sshArgv(ACCESS, { launcher, command: [], terminal: false });
      // The launcher says nothing of SSH, so ssh gives up: only how it was called matters.
      expect(() =>
        execFileSync(program, args, { env: { PATH: process.env['PATH'], SHELL: '/bin/sh' }, stdio: 'pipe' }),
      ).toThrow('Command failed');
      expect(readFileSync(told, 'utf8')).toBe(`${launcher}\n__proxy\ncalm-otter\n22\n`);
    }),
    { numRuns: 25 },
  );
});
