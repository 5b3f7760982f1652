import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sshConfigText, withInclude, withoutInclude } from '../../../src/client/ssh-config.ts';

const FACTS = {
  launcher: '/opt/banger/bin/banger',
  movedHome: undefined,
  identityPath: '/root/.local/state/banger/ssh/id_ed25519',
  vmHostsPath: '/root/.local/state/banger/ssh/vm_hosts',
};

test('a config for every VM', () => {
  expect(sshConfigText(FACTS).split('\n').slice(1)).toEqual([
    'Host *.vm',
    '  User root',
    "  ProxyCommand /opt/banger/bin/banger __proxy '%h' %p",
    '  IdentityFile "/root/.local/state/banger/ssh/id_ed25519"',
    '  IdentitiesOnly yes',
    '  IdentityAgent none',
    '  PreferredAuthentications publickey',
    '  UserKnownHostsFile "/root/.local/state/banger/ssh/vm_hosts"',
    '  GlobalKnownHostsFile /dev/null',
    '  StrictHostKeyChecking yes',
    '  CanonicalizeHostname no',
    '  ForwardAgent no',
    '  ForwardX11 no',
    '  ConnectTimeout 60',
    '',
  ]);
});

test('paths that ssh or a shell would read otherwise', () => {
  const text = sshConfigText({
    launcher: "/a b/it's 100%/banger",
    movedHome: '/x$y',
    identityPath: '/"q" %h',
    vmHostsPath: '/v',
  });
  expect(text).toContain("  ProxyCommand env BANGER_HOME\\=/x\\$y /a\\ b/it\\'s\\ 100%%/banger __proxy '%h' %p\n");
  expect(text).toContain('  IdentityFile "/\\"q\\" %%h"\n');
});

describe('the line in the user’s own config', () => {
  const PATH = '/root/.local/state/banger/ssh/config';

  test('comes at the top, once, and goes without a trace', () => {
    const before = 'Host *\n  Compression yes';
    const after = withInclude(before, PATH);
    expect(after).toBe(
      '# >>> banger ssh-config (`banger ssh-config --uninstall` takes it out)\n' +
        `Include "${PATH}"\n# <<< banger ssh-config\nHost *\n  Compression yes`,
    );
    expect(withInclude(after, PATH)).toBe(after);
    expect(withoutInclude(after)).toBe(before);
  });

  test('leads elsewhere after a move, from where it stands', () => {
    const moved = withInclude(`# mine\n${withInclude('Host x\n', PATH)}`, '/other $& path');
    expect(moved).toContain('# mine\n# >>>');
    expect(moved).toContain('Include "/other $& path"\n');
    expect(moved).not.toContain(PATH);
    expect(withoutInclude(moved)).toBe('# mine\nHost x\n');
  });

  test('in a file that was not there: that goes too, unless something was added', () => {
    const made = withInclude(undefined, PATH);
    expect(withoutInclude(made)).toBeUndefined();
    expect(withoutInclude(`${withInclude(made, '/moved')}Host mine\n`)).toBe('Host mine\n');
    expect(withoutInclude(withInclude('', PATH))).toBe('');
  });

  test('whatever the file holds, it is as it was', () => {
    const line = fc.oneof(fc.string(), fc.constantFrom('Host *', 'Include x', '# <<< banger ssh-config', '', '\r'));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.join('\n');
        expect(withoutInclude(withInclude(text, PATH))).toBe(text);
        expect(withInclude(withInclude(text, PATH), PATH)).toBe(withInclude(text, PATH));
      }),
    );
  });
});
