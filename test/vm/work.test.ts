/** A repository goes into a real VM and comes back as a patch; files go both ways; what listens inside appears here. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Vm } from '../../src/contracts/vm.ts';
import type { VmPorts } from '../../src/contracts/vm-ports.ts';
import { makeTestRepository, openTestRepository, type TestRepository } from '../support/git-repository.ts';
import { banger, json, ok } from './banger.ts';

const NAME = 'worker';
/** A blank, quotes, a newline. */
const UGLY = `a "b" 'c'\nd`;

let dir: string;
let repository: TestRepository;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bgr-work-'));
  repository = await makeTestRepository(join(dir, 'project'));
  await repository.write(UGLY, 'tracked\n');
  await repository.write('.gitignore', 'secret\n');
  repository.git('add', '--all');
  repository.git('commit', '--quiet', '--message=second');
  await repository.write('README', 'changed here, and not committed\n');
  await repository.write('secret', 'stays here\n');
  await ok(['image', 'build', 'git-box', '--from', 'debian', '--preset', 'minimal', '--package', 'git']);
  await ok(['vm', 'run', '--name', NAME, '--image', 'git-box', '--detach', repository.dir]);
});

afterAll(async () => {
  await banger(['vm', 'delete', NAME]);
  await banger(['image', 'delete', 'git-box']);
  await rm(dir, { recursive: true, force: true });
});

test('tracked files are there as they are here, with their history, and nothing else', async () => {
  const found = await ok([
    'vm',
    'exec',
    NAME,
    '--',
    'pwd; cat README; git log --format=%s; ls secret 2>&1; git status --short',
  ]);
  expect(found).toContain('/root/project\nchanged here, and not committed\n');
  expect(found).toContain('second\nfirst\n');
  expect(found).toContain('No such file');
  expect(await ok(['vm', 'exec', NAME, '--', 'cat', UGLY])).toBe('tracked\n');
});

test('what is committed and what is not comes back as a patch that applies here', async () => {
  const work = [
    'git config user.name guest; git config user.email guest@example.org',
    'echo committed > new; git add new; git commit --quiet --message=inside',
    'echo more >> README; echo loose > untracked',
  ].join('\n');
  await ok(['vm', 'exec', NAME, '--', work]);
  const status = await ok(['vm', 'exec', NAME, '--', 'git', 'status', '--short']);
  const patch = join(dir, 'work.patch');
  await ok(['vm', 'export', NAME, '--output', patch]);
  expect(await ok(['vm', 'exec', NAME, '--', 'git', 'status', '--short'])).toBe(status);

  execFileSync('cp', ['-a', repository.dir, join(dir, 'copy')]);
  const copy = openTestRepository(join(dir, 'copy'));
  copy.git('apply', patch);
  expect(await readFile(join(copy.dir, 'new'), 'utf8')).toBe('committed\n');
  expect(await readFile(join(copy.dir, 'untracked'), 'utf8')).toBe('loose\n');
  expect(await readFile(join(copy.dir, 'README'), 'utf8')).toBe('changed here, and not committed\nmore\n');
});

test('a command’s status is ours, and so is the signal that ends it', async () => {
  expect((await banger(['vm', 'exec', NAME, '--', 'exit 7'])).status).toBe(7);
  expect((await banger(['vm', 'exec', NAME, '--', 'kill -TERM $$'])).status).toBe(143);
});

test('files and folders are copied both ways, whatever they are called, with their modes', async () => {
  const here = join(dir, UGLY);
  await writeFile(here, 'there and back\n', { mode: 0o750 });
  await ok(['vm', 'cp', here, `${NAME}:/root/copied`]);
  expect(await ok(['vm', 'exec', NAME, '--', 'stat', '--format=%a', '/root/copied'])).toBe('750\n');
  await ok(['vm', 'cp', `${NAME}:/root/project/.`, join(dir, 'back')]);
  expect(await readFile(join(dir, 'back', UGLY), 'utf8')).toBe('tracked\n');
  await ok(['vm', 'cp', `${NAME}:/root/copied`, join(dir, 'again')]);
  expect((await stat(join(dir, 'again'))).mode & 0o777).toBe(0o750);
});

test('what listens in the guest appears on a loopback address of the host, and goes with it', async () => {
  const server = [
    'use IO::Socket::INET; $s = IO::Socket::INET->new(Listen => 5, LocalPort => 3000, ReuseAddr => 1) or die;',
    'while ($c = $s->accept) { <$c>; print $c "HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\nhi\\n"; close $c }',
  ].join(' ');
  await ok(['vm', 'exec', NAME, '--', `setsid perl -e '${server}' </dev/null >/dev/null 2>&1 &`]);
  const published = async (): Promise<VmPorts['ports'][number] | undefined> =>
    (await json<VmPorts[]>(['vm', 'ports', NAME]))[0]?.ports.find(({ port }) => port === 3000);
  await expect.poll(published, { timeout: 60_000 }).toMatchObject({ reachable: true, process: 'perl' });
  const [ports] = await json<VmPorts[]>(['vm', 'ports', NAME]);
  expect(ports?.hostAddress).toMatch(/^127\.77\./);
  const reply = await fetch(`http://${ports?.hostAddress}:3000/`);
  expect(await reply.text()).toBe('hi\n');
  await ok(['vm', 'exec', NAME, '--', 'kill $(pidof perl)']);
  await expect.poll(published, { timeout: 60_000 }).toBeUndefined();
});

test('a VM that is run with --rm is gone afterwards', async () => {
  const names = async (): Promise<readonly string[]> => (await json<Vm[]>(['vm', 'list'])).map(({ name }) => name);
  const before = await names();
  const { status, stdout } = await banger(['vm', 'run', '--rm', '--image', 'git-box', '--', 'echo here; exit 4']);
  expect({ status, stdout }).toEqual({ status: 4, stdout: 'here\n' });
  expect(await names()).toEqual(before);
});
