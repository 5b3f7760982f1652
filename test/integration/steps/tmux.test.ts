import { beforeEach, describe, expect, test } from 'vitest';
import { TMUX_RESURRECT, TPM } from '../../../src/core/builds/pins.ts';
import { needSandbox, runSandbox } from './sandbox.ts';

beforeEach(needSandbox);

const BLOCK = `# >>> banger tmux plugins >>>
set -g @plugin 'tmux-plugins/tpm'
set -g @plugin 'tmux-plugins/tmux-resurrect'
set -g @plugin 'tmux-plugins/tmux-continuum'
set -g @continuum-save-interval '15'
set -g @continuum-restore 'off'
set -g @resurrect-dir '/root/.tmux/resurrect'
run '~/.tmux/plugins/tpm/tpm'
# <<< banger tmux plugins <<<
`;
const OLD_BLOCK = '# >>> banger tmux plugins >>>\nset -g @plugin gone\n# <<< banger tmux plugins <<<\n';

/** Three checkouts as the host uploads them. */
const PLUGINS = `
  for name in tpm tmux-resurrect tmux-continuum; do
    tree=/run/work/files/tmux/$name
    git init --quiet --template= --initial-branch=main $tree
    printf '#!/bin/sh\\n' >$tree/$name.tmux; chmod 0755 $tree/$name.tmux
    git -C $tree add .
    git -C $tree -c user.name=t -c user.email=t@example.invalid commit --quiet -m one
    git -C $tree checkout --quiet --detach; git -C $tree branch --quiet -D main
    rm -rf $tree/.git/logs; chown -R 1000:1000 $tree
  done`;

describe('the block takes its place, every other line keeps its own', () => {
  test.each([
    { name: 'no file', before: undefined, after: BLOCK },
    { name: 'an empty file', before: '', after: BLOCK },
    { name: 'the user’s lines', before: 'set -g mouse on\n', after: `set -g mouse on\n\n${BLOCK}` },
    { name: 'no newline at the end', before: 'set -g mouse on', after: `set -g mouse on\n\n${BLOCK}` },
    { name: 'an empty line at the end', before: 'set -g mouse on\n\n', after: `set -g mouse on\n\n${BLOCK}` },
    {
      name: 'an older block amid the user’s lines',
      before: `one\n${OLD_BLOCK}two\n\nthree\n`,
      after: `one\n${BLOCK}two\n\nthree\n`,
    },
    { name: 'two blocks', before: `${OLD_BLOCK}one\n${OLD_BLOCK}`, after: `${BLOCK}one\n` },
    {
      name: 'a begin without an end takes nothing with it',
      before: '# >>> banger tmux plugins >>>\none\n',
      after: `# >>> banger tmux plugins >>>\none\n\n${BLOCK}`,
    },
    {
      name: 'a begin without an end before a whole block',
      before: `# >>> banger tmux plugins >>>\none\n${OLD_BLOCK}two\n`,
      after: `# >>> banger tmux plugins >>>\none\n${BLOCK}two\n`,
    },
  ])('$name', async ({ before, after }) => {
    const result = await runSandbox(
      `${PLUGINS}
      ! test -e /run/work/before || cp /run/work/before /root/.tmux.conf
      step tmux; cp /root/.tmux.conf /run/work/once; step tmux; cp /root/.tmux.conf /run/work/twice`,
      before === undefined ? {} : { files: { before } },
    );
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('once')).toBe(after);
    expect(await result.read('twice')).toBe(after);
  });
});

test('plugins are checkouts that their manager can update; the second run changes no byte', async () => {
  const result = await runSandbox(`${PLUGINS}
    mkdir -p /root/.tmux/plugins/tpm /root/.tmux/plugins/of-the-user; touch /root/.tmux/plugins/tpm/stale
    step tmux; snapshot one; step tmux; snapshot two
    cd /root/.tmux/plugins; ls -A >/run/work/plugins; ls -A tpm >>/run/work/plugins; stat -c '%U' tpm/tpm.tmux >>/run/work/plugins
    git -C tpm status --short --branch >/run/work/status
    git -C tpm remote get-url origin >/run/work/remotes; git -C tmux-resurrect remote get-url origin >>/run/work/remotes`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('two')).toBe(await result.read('one'));
  expect(await result.read('one')).toContain('/root/.tmux/plugins/tpm/.git/HEAD');
  expect(await result.read('plugins')).toBe('of-the-user\ntmux-continuum\ntmux-resurrect\ntpm\n.git\ntpm.tmux\nroot\n');
  expect(await result.read('status')).toBe('## master...origin/master\n');
  expect(await result.read('remotes')).toBe(`${TPM.url}\n${TMUX_RESURRECT.url}\n`);
});

test('a link to the user’s own dotfiles stays a link', async () => {
  const result = await runSandbox(`${PLUGINS}
    mkdir /root/dotfiles; echo 'set -g mouse on' >/root/dotfiles/tmux.conf; chmod 0600 /root/dotfiles/tmux.conf
    ln -s dotfiles/tmux.conf /root/.tmux.conf
    step tmux; readlink /root/.tmux.conf >/run/work/link; stat -c '%a' /root/dotfiles/tmux.conf >>/run/work/link
    cp /root/dotfiles/tmux.conf /run/work/content`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('link')).toBe('dotfiles/tmux.conf\n600\n');
  expect(await result.read('content')).toBe(`set -g mouse on\n\n${BLOCK}`);
});

test('tmux itself takes the file', async (context) => {
  const result = await runSandbox(`${PLUGINS}
    command -v tmux >/dev/null || exit 77
    step tmux; cd /root
    printf '#!/bin/sh\\ntouch /run/work/tpm-ran\\n' >/root/.tmux/plugins/tpm/tpm; chmod 0755 /root/.tmux/plugins/tpm/tpm
    export TMUX_TMPDIR=/run
    tmux -f /root/.tmux.conf new-session -d 'sleep 60' \\; run-shell true
    tmux show-options -gv @continuum-save-interval >/run/work/interval
    tmux kill-server; ls /run/work/tpm-ran >/run/work/ran`);
  if (result.exitStatus === 77) context.skip('tmux is not installed');
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('interval')).toBe('15\n');
  expect(await result.read('ran')).toBe('/run/work/tpm-ran\n');
});
