import { beforeEach, describe, expect, test } from 'vitest';
import { needSandbox, planEverything, runSandbox } from './sandbox.ts';

beforeEach(needSandbox);

const BASHRC_LINE = '[ ! -x /usr/local/bin/mise ] || eval "$(/usr/local/bin/mise activate bash)"';

/** Uploaded programs that only say what they are asked, in place of large ones. */
const PROGRAMS = `
  files=/run/work/files
  printf '#!/bin/sh\\necho "mise $*" >>/run/work/calls\\n' >$files/mise/mise
  printf '#!/bin/sh\\necho opencode\\n' >$files/opencode/opencode`;

test('mise: the program, its activation once, and nothing more the second time', async () => {
  const result = await runSandbox(`${PROGRAMS}
    printf '# the distribution\\n' >/etc/bash.bashrc
    step mise; snapshot one; step mise; snapshot two
    cp /etc/bash.bashrc /run/work/bashrc; ls -A /usr/local/bin >/run/work/bin; stat -c '%a %U' /usr/local/bin/mise >>/run/work/bin`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('two')).toBe(await result.read('one'));
  expect(await result.read('bashrc')).toBe(`# the distribution\n\n${BASHRC_LINE}\n`);
  expect(await result.read('bin')).toBe('mise\n755 root\n');
  expect(await result.read('one')).toContain('/etc/profile.d/mise.sh f 644 root:root');
});

test('mise: the activation works in bash, and does nothing once the program is gone', async () => {
  const result = await runSandbox(`${PROGRAMS}
    printf '#!/bin/sh\\necho "export ACTIVE=yes"\\n' >$files/mise/mise
    : >/etc/bash.bashrc
    step mise
    bash -lc 'echo login $ACTIVE' >/run/work/shells
    bash -c '. /etc/bash.bashrc; echo interactive $ACTIVE' >>/run/work/shells
    rm /usr/local/bin/mise
    bash -lc 'echo without $ACTIVE' >>/run/work/shells
    bash -ec '. /etc/bash.bashrc; echo without $ACTIVE' >>/run/work/shells`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('shells')).toBe('login yes\ninteractive yes\nwithout\nwithout\n');
});

test('mise: a program that does not run fails the step', async () => {
  const result = await runSandbox("printf '#!/bin/sh\\nexit 3\\n' >/run/work/files/mise/mise; step mise");
  expect(result.exitStatus).toBe(3);
});

test('opencode: program, link, unit, and a tool of mise; versions of earlier builds are forgotten', async () => {
  const result = await runSandbox(`${PROGRAMS}
    step mise; : >/run/work/calls
    installs=/root/.local/share/mise/installs/opencode
    mkdir -p $installs/0.9.0; ln -s /usr/local/lib/banger/opencode $installs/0.0.1
    step opencode; snapshot one; step opencode; snapshot two
    ls $installs >/run/work/installs
    readlink /usr/local/bin/opencode /etc/systemd/system/multi-user.target.wants/banger-opencode.service >/run/work/links
    opencode >/run/work/says`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('two')).toBe(await result.read('one'));
  // The version that the user installed through mise is no link of ours.
  expect(await result.read('installs')).toBe('0.9.0\n');
  expect(await result.read('links')).toBe(
    '/usr/local/lib/banger/opencode/bin/opencode\n/etc/systemd/system/banger-opencode.service\n',
  );
  expect(await result.read('says')).toBe('opencode\n');
  const version = planEverything().find(({ name }) => name === 'opencode')?.env['BANGER_OPENCODE_VERSION'];
  const calls = [
    `mise link --force opencode@${version} /usr/local/lib/banger/opencode`,
    `mise use --quiet --global opencode@${version}`,
  ];
  expect(await result.read('calls')).toBe([...calls, ...calls, ''].join('\n'));
});

test('opencode: without mise the program stands on its own', async () => {
  const result = await runSandbox(`${PROGRAMS}
    step opencode; opencode >/run/work/says`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('says')).toBe('opencode\n');
  expect(await result.read('opencode.log')).toContain('mise is not in this image');
});

describe('modules', () => {
  const TREE = `
    tree=/run/work/files/modules/tree; mkdir -p $tree/kernel/net; echo veth >$tree/kernel/net/veth.ko
    ln -s /usr/src/gone $tree/build; chown -R 1000:1000 $tree
    stub depmod 'echo dep >/lib/modules/$2/modules.dep'`;

  test('the tree, what to load and the settings; the second run changes nothing', async () => {
    const result = await runSandbox(`${TREE}
      mkdir -p /lib/modules/6.1.0-test/kernel; echo old >/lib/modules/6.1.0-test/kernel/old.ko
      mkdir -p /lib/modules/5.0-other
      step modules; snapshot one; step modules; snapshot two
      (cd /lib/modules; find . -printf '%P %U %l\\n' | sort) >/run/work/tree
      cat /etc/modules-load.d/banger-docker.conf /etc/sysctl.d/90-banger-docker.conf | grep -v '^#' >/run/work/settings`);
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('two')).toBe(await result.read('one'));
    expect(
      (await result.read('tree'))
        .trim()
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual([
      '0',
      '5.0-other 0',
      '6.1.0-test 0',
      '6.1.0-test/build 0 /usr/src/gone',
      '6.1.0-test/kernel 0',
      '6.1.0-test/kernel/net 0',
      '6.1.0-test/kernel/net/veth.ko 0',
      '6.1.0-test/modules.dep 0',
    ]);
    expect(await result.read('calls')).toBe('depmod -a 6.1.0-test\n'.repeat(2));
    expect((await result.read('settings')).trim().split('\n')).toEqual([
      'nf_tables',
      'nft_chain_nat',
      'veth',
      'br_netfilter',
      'overlay',
      'net.bridge.bridge-nf-call-iptables = 1',
      'net.bridge.bridge-nf-call-ip6tables = 1',
      'net.ipv4.ip_forward = 1',
    ]);
  });

  test('a tree that did not arrive fails the step', async () => {
    const result = await runSandbox('stub depmod; step modules');
    expect(result.exitStatus).toBe(1);
    expect(await result.read('modules.log')).toContain('No such file or directory');
  });
});

describe('user', () => {
  test.each([
    {
      name: 'without a #! line it is bash',
      script: 'printf "%s" "$BASH $PWD $HOME $0"',
      out: /^\/bin\/bash \/root \/root /,
    },
    {
      name: 'with one it is that program',
      script: '#!/bin/sh\nprintf "%s" "sh$BASH_VERSION $PWD"',
      out: /^sh \/root$/,
    },
    { name: 'an empty one does nothing', script: '', out: /^$/ },
  ])('$name', async ({ script, out }) => {
    const result = await runSandbox('step user; cp /run/work/user.log /run/work/out', {
      steps: planEverything({ userScript: script }),
    });
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('out')).toMatch(out);
  });

  test('its failure is the step’s', async () => {
    const steps = planEverything({ userScript: 'echo mine >&2; exit 42' });
    const result = await runSandbox('step user', { steps });
    expect(result.exitStatus).toBe(42);
    expect(await result.read('user.log')).toBe('mine\n');
  });
});
