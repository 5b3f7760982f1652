/** Repositories on their way into a guest and back; the guest is a folder, its scripts run in it as they would there. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { packItems, treeItem, walk } from '../../../src/client/copy/pack-tree.ts';
import { makeGuestRepository } from '../../../src/client/workspace/guest-repository.ts';
import { openRepository } from '../../../src/client/workspace/repository.ts';
import { guestFolder } from '../../../src/client/workspace/send-workspace.ts';
import { listWorkTree } from '../../../src/client/workspace/work-files.ts';
import { collect } from '../../support/collect.ts';
import { makeTestRepository, openTestRepository, type TestRepository } from '../../support/git-repository.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const SCRIPTS = join(import.meta.dirname, '..', '..', '..', 'guest', 'workspace');
const { signal } = new AbortController();

let dir: string;
let repo: TestRepository;
let evidence: string;

beforeEach(async () => {
  dir = await makeTempDir();
  repo = await makeTestRepository(join(dir, 'project'));
  evidence = join(dir, 'evidence');
});

/** What `vm run` does, into a folder. */
async function bring(options: { readonly path?: string; readonly includeUntracked?: boolean } = {}) {
  const repository = await openRepository(options.path ?? repo.dir, signal);
  const tree = await listWorkTree(repository, { includeUntracked: options.includeUntracked ?? false, signal });
  await using made = await makeGuestRepository(repository, tree, signal);
  const guestDir = join(dir, 'guest');
  await mkdir(guestDir);
  const items = async function* () {
    yield* walk({ hostPath: made.gitDir, name: '.git' });
    for (const { hostPath, path } of tree.files) yield await treeItem(hostPath, path);
  };
  const archive = Buffer.concat(await collect(packItems(items(), () => undefined)));
  execFileSync('tar', ['-x', '-f', '-', '-C', guestDir, '--no-same-owner'], { input: archive });
  return { repository, tree, base: made.base, guest: openTestRepository(guestDir) };
}

/** What `vm export` prints, by the script that the guest runs. */
function exported(guest: TestRepository, base: string, form: 'diff' | 'mails' = 'diff') {
  const env = { PATH: process.env['PATH'], HOME: dir };
  const ended = spawnSync('sh', [join(SCRIPTS, 'export.sh'), guest.dir, base, form], { env });
  return { status: ended.status, patch: ended.stdout, words: ended.stderr.toString() };
}

const files = (folder: string): string[] =>
  execFileSync('find', [folder, '-name', '.git', '-prune', '-o', '-printf', '%y %m %P %l\\n'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '')
    .sort();

const UGLY = ['with space', "quo'te", 'dou"ble', 'new\nline', '-dash', 'back\\slash', '\\n', 'é', '*', 'tab\there'];

describe('a repository arrives', () => {
  test('clean: with its history, its last commit as the base, and nothing to be committed', async () => {
    await repo.write('run.sh', 'true\n', 0o755);
    await symlink('README', join(repo.dir, 'link'));
    for (const name of UGLY) await repo.write(`ugly/${name}`, name);
    repo.git('add', '--all');
    repo.git('commit', '--quiet', '--message=second');
    const { guest, base } = await bring();
    expect(base).toBe(repo.git('rev-parse', 'HEAD').trim());
    expect(guest.git('log', '--format=%H %s')).toBe(repo.git('log', '--format=%H %s'));
    expect(guest.git('symbolic-ref', 'HEAD')).toBe('refs/heads/main\n');
    expect(guest.git('status', '--porcelain')).toBe('');
    expect(files(guest.dir)).toEqual(files(repo.dir));
    guest.git('fsck', '--strict');
    expect(await readdir(join(guest.dir, '.git', 'objects', 'info'))).not.toContain('alternates');
  });

  test('as its work tree is: changed, deleted, added, replaced, executable; what is ignored or untracked stays', async () => {
    await repo.write('gone', 'x');
    await repo.write('becomes/a', 'x');
    await repo.write('turns', 'x');
    await repo.write('.gitignore', 'secret\n');
    repo.git('add', '--all');
    repo.git('commit', '--quiet', '--message=second');
    await repo.write('README', 'changed\n');
    await chmod(join(repo.dir, 'README'), 0o755);
    await rm(join(repo.dir, 'gone'));
    await rm(join(repo.dir, 'becomes'), { recursive: true });
    await repo.write('becomes', 'a file');
    await rm(join(repo.dir, 'turns'));
    await repo.write('turns/into', 'a folder');
    await repo.write('new', 'added');
    repo.git('add', 'new', 'becomes', 'turns/into');
    await repo.write('secret', 'ignored');
    await repo.write('notes', 'untracked');
    const { guest, base, tree } = await bring();
    expect(files(guest.dir).filter((line) => !line.startsWith('d'))).toEqual([
      'f 644 .gitignore ',
      'f 644 becomes ',
      'f 644 new ',
      'f 644 turns/into ',
      'f 755 README ',
    ]);
    expect(tree.deleted.toSorted()).toEqual(['becomes/a', 'gone', 'turns']);
    // Ours, on top of the last one.
    expect(guest.git('rev-parse', `${base}^`)).toBe(repo.git('rev-parse', 'HEAD'));
    expect(guest.git('status', '--porcelain')).toBe('');
    guest.git('fsck', '--strict');
  });

  test('with untracked files where that is asked for, never with ignored ones', async () => {
    await repo.write('.gitignore', 'secret\n');
    await repo.write('secret', 'ignored');
    await repo.write('deep/notes', 'untracked');
    await makeTestRepository(join(repo.dir, 'nested'));
    const { guest } = await bring({ includeUntracked: true });
    expect((await readdir(guest.dir)).sort()).toEqual(['.git', '.gitignore', 'README', 'deep']);
    expect(guest.git('status', '--porcelain')).toBe('');
  });

  test('of which a folder was named: as a whole', async () => {
    await repo.write('sub/deep/f', 'x');
    repo.git('add', '--all');
    const { repository, guest } = await bring({ path: join(repo.dir, 'sub', 'deep') });
    expect(repository).toMatchObject({ top: repo.dir, within: 'sub/deep' });
    expect(await readFile(join(guest.dir, 'README'), 'utf8')).toBe('first\n');
  });

  test('without a commit, and detached', async () => {
    const empty = join(dir, 'empty');
    await mkdir(empty);
    const fresh = openTestRepository(empty);
    fresh.git('init', '--quiet', '--initial-branch=trunk');
    await fresh.write('f', 'x');
    fresh.git('add', '--all');
    const first = await bring({ path: empty });
    expect(first.guest.git('log', '--format=%s %D')).toContain('HEAD -> trunk');
    expect(first.guest.git('status', '--porcelain')).toBe('');
    await rm(first.guest.dir, { recursive: true });
    repo.git('checkout', '--quiet', '--detach');
    const { guest, base } = await bring();
    expect(guest.git('rev-parse', 'HEAD').trim()).toBe(base);
    expect(() => guest.git('symbolic-ref', 'HEAD')).toThrow('not a symbolic ref');
  });

  test('of which parts are elsewhere: submodules and sparse files stay, and are not taken for deleted', async () => {
    const other = await makeTestRepository(join(dir, 'other'));
    repo.git('-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', other.dir, 'module');
    await repo.write('sparse/f', 'x');
    repo.git('add', '--all');
    repo.git('commit', '--quiet', '--message=parts');
    repo.git('update-index', '--skip-worktree', 'sparse/f');
    await rm(join(repo.dir, 'sparse'), { recursive: true });
    const { tree, base } = await bring();
    expect(tree).toMatchObject({ deleted: [], submodules: ['module'] });
    expect(tree.files.map(({ path }) => path)).toEqual(['.gitmodules', 'README']);
    expect(base).toBe(repo.git('rev-parse', 'HEAD').trim());
  });

  test('from a linked work tree, and of the other object format', async () => {
    const linked = join(dir, 'linked');
    repo.git('worktree', 'add', '--quiet', '-b', 'side', linked);
    const first = await bring({ path: linked });
    expect(first.guest.git('symbolic-ref', 'HEAD')).toBe('refs/heads/side\n');
    await rm(first.guest.dir, { recursive: true });
    const strong = openTestRepository(join(dir, 'strong'));
    await mkdir(strong.dir);
    strong.git('init', '--quiet', '--object-format=sha256');
    await strong.write('f', 'x');
    strong.git('add', '--all');
    strong.git('commit', '--quiet', '--message=one');
    const { guest, base } = await bring({ path: strong.dir });
    expect(base).toHaveLength(64);
    expect(guest.git('status', '--porcelain')).toBe('');
  });

  test('shallow as it is, or cut to its last commit where the history is large', async () => {
    await repo.write('README', 'second\n');
    repo.git('commit', '--quiet', '--all', '--message=second');
    const shallow = join(dir, 'shallow');
    execFileSync('git', ['clone', '--quiet', '--depth=1', `file://${repo.dir}`, shallow]);
    const first = await bring({ path: shallow });
    expect(first.guest.git('log', '--format=%s')).toBe('second\n');
    await rm(first.guest.dir, { recursive: true });

    const repository = { ...(await openRepository(repo.dir, signal)), historyBytes: 2 ** 30 };
    const tree = await listWorkTree(repository, { includeUntracked: false, signal });
    await using made = await makeGuestRepository(repository, tree, signal);
    const git = (...args: readonly string[]): string =>
      execFileSync('git', ['--git-dir', made.gitDir, ...args], { encoding: 'utf8' });
    expect(git('log', '--format=%s')).toBe('second\n');
    git('fsck', '--strict');
    expect(made.base).toBe(repo.git('rev-parse', 'HEAD').trim());
  });

  test('without what is the user’s own: remotes, hooks, config, credentials; the user’s repository stays as it is', async () => {
    repo.git('config', 'remote.origin.url', 'https://user:token@example.org/x.git');
    repo.git('config', 'user.name', 'Ann <Author>');
    repo.git('config', 'user.signingkey', 'KEY');
    repo.git('config', 'credential.helper', 'store');
    await repo.write('README', 'changed\n');
    const before = files(join(repo.dir, '.git'));
    const { guest } = await bring();
    expect(files(join(repo.dir, '.git'))).toEqual(before);
    const config = await readFile(join(guest.dir, '.git', 'config'), 'utf8');
    expect(config).not.toMatch(/remote|token|signing|credential/);
    expect(guest.git('config', 'user.name')).toBe('Ann  Author\n');
    expect(await readdir(join(guest.dir, '.git'))).not.toContain('hooks');
  });
});

describe('a hostile repository', () => {
  test('runs nothing of its own', async () => {
    const script = join(dir, 'evil.sh');
    await writeFile(script, `#!/bin/sh\necho "$0 $*" >> '${evidence}'\ncat\n`, { mode: 0o755 });
    const config = [
      ...['core.fsmonitor', 'core.pager', 'core.editor', 'core.sshCommand', 'core.gitProxy', 'core.askPass'],
      ...['filter.evil.clean', 'filter.evil.smudge', 'filter.evil.process', 'diff.external', 'diff.evil.textconv'],
      ...['diff.evil.command', 'merge.evil.driver', 'gpg.program', 'uploadpack.packObjectsHook', 'alias.ls-files'],
      ...[
        'interactive.diffFilter',
        'credential.helper',
        'remote.origin.uploadpack',
        'alias.rev-parse',
        'pager.ls-files',
      ],
    ];
    for (const key of config) repo.git('config', key, script);
    repo.git('config', 'remote.origin.url', `ext::${script}`);
    repo.git('config', 'remote.origin.promisor', 'true');
    repo.git('config', 'core.hooksPath', join(dir, 'hooks'));
    await mkdir(join(dir, 'hooks'));
    for (const hook of [
      'post-index-change',
      'pre-commit',
      'post-checkout',
      'reference-transaction',
      'fsmonitor-watchman',
    ]) {
      await writeFile(join(dir, 'hooks', hook), `#!/bin/sh\necho ${hook} >> '${evidence}'\n`, { mode: 0o755 });
    }
    await repo.write('.gitattributes', '* filter=evil diff=evil merge=evil\n');
    await repo.write('README', 'changed\n');
    await repo.write('.git/info/attributes', '* filter=evil diff=evil\n');
    await bring({ includeUntracked: true });
    await expect(lstat(evidence)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('with an object that is not there does not fetch it', async () => {
    const oid = repo.git('rev-parse', 'HEAD:README').trim();
    const script = join(dir, 'evil.sh');
    await writeFile(script, `#!/bin/sh\necho fetched >> '${evidence}'\n`, { mode: 0o755 });
    for (const [key, value] of [
      ['remote.origin.url', `ext::${script}`],
      ['remote.origin.promisor', 'true'],
      ['extensions.partialClone', 'origin'],
      ['core.repositoryFormatVersion', '1'],
      ['protocol.ext.allow', 'always'],
    ] as const) {
      repo.git('config', key, value);
    }
    await repo.write('README', 'changed\n');
    await rm(join(repo.dir, '.git', 'objects', oid.slice(0, 2), oid.slice(2)));
    await expect(bring()).rejects.toMatchObject({ code: 'WORKSPACE_INVALID' });
    await expect(lstat(evidence)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('cannot have files of elsewhere sent', async () => {
    const outside = join(dir, 'outside');
    await mkdir(outside);
    await writeFile(join(outside, 'precious'), 'precious');
    await repo.write('way/precious', 'harmless');
    repo.git('add', '--all');
    repo.git('commit', '--quiet', '--message=way');
    await rm(join(repo.dir, 'way'), { recursive: true });
    await symlink(outside, join(repo.dir, 'way'));
    const { guest, tree } = await bring();
    expect(tree.deleted).toEqual(['way/precious']);
    expect(await readdir(guest.dir)).not.toContain('way');
    repo.git('config', 'core.worktree', outside);
    await expect(openRepository(repo.dir, signal)).rejects.toMatchObject({ code: 'WORKSPACE_INVALID' });
  });

  test('cannot pass another repository’s history off as its own', async () => {
    const other = await makeTestRepository(join(dir, 'other'));
    await rm(join(repo.dir, '.git'), { recursive: true });
    await writeFile(join(repo.dir, '.git'), `gitdir: ${join(other.dir, '.git')}\n`);
    await expect(openRepository(repo.dir, signal)).rejects.toMatchObject({ code: 'WORKSPACE_INVALID' });
    await rm(join(repo.dir, '.git'));
    await symlink(join(other.dir, '.git'), join(repo.dir, '.git'));
    await expect(openRepository(repo.dir, signal)).rejects.toMatchObject({ code: 'WORKSPACE_INVALID' });
  });

  test.each([
    ['/home/ann/project', '/root/project'],
    ['/home/ann/.ssh', '/root/ssh'],
    ['/home/ann/..', '/root/workspace'],
    ['/', '/root/workspace'],
    ['/x/new\nline', '/root/new-line'],
    [`/x/${'é'.repeat(128)}`, '/root/workspace'],
  ])('%j goes into %j', (top, guestPath) => {
    expect(guestFolder(top)).toBe(guestPath);
  });
});

describe('what is no repository', () => {
  test.each([
    ['a folder without one', 'plain', /is in no git work tree/],
    ['a file', 'file', /is not a folder/],
    ['nothing', 'nosuch', /does not exist/],
  ])('%s', async (_what, name, words) => {
    await mkdir(join(dir, 'plain'));
    await writeFile(join(dir, 'file'), '');
    await expect(openRepository(join(dir, name), signal)).rejects.toMatchObject({
      code: 'WORKSPACE_INVALID',
      message: expect.stringMatching(words),
    });
  });

  test('somebody else’s repository is refused by git itself', async (context) => {
    if (process.getuid?.() !== 0) context.skip('only root can give a repository away');
    execFileSync('chown', ['-R', '65534:65534', repo.dir]);
    await expect(openRepository(repo.dir, signal)).rejects.toMatchObject({
      message: expect.stringContaining('dubious ownership'),
    });
  });
});

describe('what was changed comes back', () => {
  async function change(guest: TestRepository): Promise<void> {
    await guest.write('README', 'first\nand committed\n');
    guest.git('add', '--all');
    guest.git('commit', '--quiet', '--message=[tag] committed inside');
    await guest.write('README', 'first\nand committed\nand not\n');
    await guest.write('bin/new', 'untracked\n', 0o755);
    await writeFile(join(guest.dir, 'binary'), Buffer.from([0, 1, 2, 255, 0]));
    await symlink('README', join(guest.dir, 'link'));
    for (const name of UGLY) await guest.write(name, name);
  }

  test('as one patch for git apply: commits, what was not committed, new files; the guest stays as it was', async () => {
    await repo.write('README', 'first\n');
    const { guest, base } = await bring();
    await change(guest);
    guest.git('add', 'binary');
    const before = [files(join(guest.dir, '.git')), await readFile(join(guest.dir, '.git', 'index'))];
    const { status, patch, words } = exported(guest, base);
    expect({ status, words }).toEqual({ status: 0, words: '' });
    expect([files(join(guest.dir, '.git')), await readFile(join(guest.dir, '.git', 'index'))]).toEqual(before);
    await writeFile(join(dir, 'patch'), patch);
    repo.git('apply', '--check', join(dir, 'patch'));
    repo.git('apply', '--index', join(dir, 'patch'));
    expect(files(repo.dir)).toEqual(files(guest.dir));
    expect(execFileSync('diff', ['-r', '--exclude=.git', repo.dir, guest.dir]).toString()).toBe('');
  });

  test('on top of what the user had changed and not committed', async () => {
    await repo.write('README', 'first\nmine\n');
    const { guest, base } = await bring();
    await guest.write('README', 'first\nmine\ntheirs\n');
    const { patch } = exported(guest, base);
    expect(patch.toString()).not.toContain('+mine');
    await writeFile(join(dir, 'patch'), patch);
    repo.git('apply', join(dir, 'patch'));
    expect(await readFile(join(repo.dir, 'README'), 'utf8')).toBe('first\nmine\ntheirs\n');
  });

  test('as mails for git am: each commit, and what was not committed as the last', async () => {
    const { guest, base } = await bring();
    await change(guest);
    const { status, patch } = exported(guest, base, 'mails');
    expect(status).toBe(0);
    await writeFile(join(dir, 'mails'), patch);
    repo.git('am', '--quiet', '--keep-non-patch', join(dir, 'mails'));
    expect(repo.git('log', '--format=%s|%an')).toBe(
      'Changes that were not committed|Ann Author\n[tag] committed inside|Ann Author\nfirst|Ann Author\n',
    );
    expect(files(repo.dir)).toEqual(files(guest.dir));
  });

  test('not as mails where the history was rewritten, but as a patch', async () => {
    const { guest, base } = await bring();
    guest.git('commit', '--quiet', '--amend', '--message=rewritten');
    await guest.write('README', 'second\n');
    expect(exported(guest, base, 'mails')).toMatchObject({
      status: 4,
      words: expect.stringContaining('does not follow'),
    });
    expect(exported(guest, base).patch.toString()).toContain('+second');
    expect(exported(guest, 'refs/banger/base').patch.toString()).toContain('+second');
  });

  test('nothing where nothing was changed, and a reason where there is no repository', async () => {
    const { guest, base } = await bring();
    expect(exported(guest, base)).toMatchObject({ status: 0, patch: Buffer.alloc(0) });
    expect(exported(guest, 'f'.repeat(40))).toMatchObject({ status: 3 });
    await rename(join(guest.dir, '.git'), join(guest.dir, 'git'));
    expect(exported(guest, base)).toMatchObject({ status: 3, words: expect.stringContaining('not a git repository') });
  });
});

test('links are sent as links', async () => {
  await symlink('/etc/passwd', join(repo.dir, 'out'));
  repo.git('add', '--all');
  const { guest } = await bring();
  expect(await readlink(join(guest.dir, 'out'))).toBe('/etc/passwd');
});
