import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { configSchema } from '../../../src/contracts/config.ts';
import type { Operation } from '../../../src/contracts/operation.ts';
import { parseConfig } from '../../../src/daemon/config.ts';
import { type BangerCopy, copyBanger } from '../../support/banger-copy.ts';
import { FakeDaemon, FakeRefusal } from '../../support/fake-daemon.ts';
import { sampleImage, sampleVm } from '../../support/samples.ts';

let banger: BangerCopy;
let daemon: FakeDaemon;

beforeAll(async () => {
  banger = await copyBanger();
});
afterAll(() => banger[Symbol.asyncDispose]());
beforeEach(async () => {
  daemon = await FakeDaemon.start(banger);
  return () => daemon[Symbol.asyncDispose]();
});

/** What was sent to a route. */
function sent(route: FakeDaemon['requests'][number]['route']): readonly unknown[] {
  return daemon.requests.filter((request) => request.route === route).map(({ params, body }) => ({ params, body }));
}

/** What a command prints on a terminal of its own (script(1)), line by line. */
async function onTerminal(columns: number, args: readonly string[]): Promise<readonly string[]> {
  const { run } = await import('../../../src/host/process.ts');
  const command = `stty cols ${columns}; exec "$BANGER" ${args.join(' ')}`;
  const { stdout } = await run(['script', '--quiet', '--return', '--command', command, '/dev/null'], {
    env: { BANGER: join(banger.root, 'bin', 'banger'), BANGER_HOME: banger.home, SHELL: '/bin/sh', NO_COLOR: '1' },
    okStatuses: [0, 1, 2],
    timeoutMs: 20_000,
  });
  return stdout.trimEnd().split('\r\n');
}

describe('lists', () => {
  test('a table for people; off a terminal nothing is cut', async () => {
    const long = 'a'.repeat(63);
    daemon.on('vmList', () => [
      sampleVm(),
      sampleVm({ name: long, state: 'stopped', nat: false, egress: 'allow:example.org' }),
    ]);
    const { stdout, status } = await banger.run(['vm', 'list']);
    expect(status).toBe(0);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^NAME +STATE +IMAGE +ADDRESS +CPUS +MEMORY +DISK +EGRESS +CREATED$/);
    expect(lines[1]).toMatch(/^calm-otter +running +dev +10\.77\.0\.2 +2 +1G +8G +open +\d+ days ago$/);
    expect(lines[2]).toContain(long);
    expect(lines[2]).toMatch(/ allow +\d+ days ago$/);
  });

  test('JSON is the daemon’s own answer', async () => {
    daemon.on('vmList', () => [sampleVm()]);
    const { stdout } = await banger.run(['vm', 'list', '--json']);
    expect(JSON.parse(stdout)).toEqual([sampleVm()]);
  });

  test('nothing there: a word on stderr, nothing on stdout', async () => {
    daemon.on('imageList', () => []);
    const { stdout, stderr, status } = await banger.run(['image', 'list']);
    expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
    expect(stderr).toContain('banger image bootstrap debian');
  });

  test.each([[80], [200]])('fits a terminal of %d columns', async (columns) => {
    daemon.on('imageList', () => [
      sampleImage(),
      sampleImage({
        name: 'b'.repeat(63),
        provenance: {
          ...sampleImage().provenance,
          method: 'build',
          source: { name: 'c'.repeat(63), digest: `sha256:${'0'.repeat(64)}` },
        },
      }),
    ]);
    const lines = await onTerminal(columns, ['image', 'list']);
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
    expect(lines[0]?.includes('DIGEST')).toBe(columns === 200);
  });
});

describe('what is said on a terminal is broken between words', () => {
  test('help', async () => {
    const lines = await onTerminal(80, ['vm', 'run', '--help']);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(lines).toContain("One word after -- is shell text ('ls | wc -l'); several are a command and its");
  });

  test('an operation’s end, with its notes and its error', async () => {
    const operation = daemon.newOperation('image.build', 'n'.repeat(63));
    operation.stage('clean up', 'failed', { durationMs: 300, note: 'Could not remove TAP x: busy; '.repeat(9) });
    const message =
      'Step "packages" failed with status 100.\nThese are its words, and they are more than fit on a line.';
    const alsoFailed = ['Could not remove TAP bngr-0123456789: RTNETLINK answers: Device or resource busy'];
    operation.end('failed', {
      error: { code: 'BUILD_STEP_FAILED', message, hint: 'Look. '.repeat(20), details: { alsoFailed } },
    });
    const lines = await onTerminal(80, ['op', 'show', operation.operation.id]);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    expect(lines).toEqual(expect.arrayContaining(['error: Step "packages" failed with status 100.', '  also failed:']));
    expect(lines.join(' ').replaceAll(/ +/g, ' ')).toContain('RTNETLINK answers: Device or resource busy');
  });
});

describe('wrong command lines', () => {
  test.each([
    [['vm', 'lst'], "unknown command 'lst'\nhint: Did you mean list? See `banger vm --help`.\n"],
    [['vmm', 'list'], "unknown command 'vmm'\nhint: Did you mean vm? See `banger --help`.\n"],
    [['vm', 'help'], "unknown command 'help'\nhint: See `banger vm --help`.\n"],
    [['vm', 'list', 'extra'], 'too many arguments'],
    [['vm', 'list', '--nope'], "unknown option '--nope'"],
    [['image', 'build', 'x'], 'required option'],
    [['image', 'delete'], 'missing required argument'],
    [['vm', 'run', '--'], 'a command must follow --'],
    [['vm', 'run', '--rm', '-d'], '--detach goes neither with --rm'],
    [['vm', 'run', '--json'], '--json needs a command'],
    [
      ['vm', 'create', '--cpus', '0', '--name', 'X'],
      '\n  --cpus: 0 is too small, the least is 1\nhint: See `banger vm create --help`.\n',
    ],
    [['op', 'show', 'x'], 'an operation id looks like'],
    [['doctor', '--for', 'nothing'], 'give one of all, bootstrap, build, vm'],
  ])('%j', async (args, message) => {
    const { status, stdout, stderr } = await banger.run(args);
    expect(stderr).toContain(message);
    expect(stderr).toContain('REQUEST_INVALID');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(daemon.requests).toEqual([]);
  });

  test.each([
    [['--size', '12'], 'SIZE_INVALID', '--size: 12B is too small, the least is 64M'],
    [['--size', '8X'], 'SIZE_INVALID', '--size "8X" is not a size'],
    [['--size', '-1G'], 'SIZE_INVALID', '--size "-1G" is not a size'],
    [['--size', '1e99G'], 'SIZE_INVALID', 'is not a size'],
    [['--size', ''], 'SIZE_INVALID', '--size "" is not a size'],
    [['--package', '-y'], 'PACKAGE_NAME_INVALID', '--package: "-y": not a Debian package name'],
    [['--package', 'git curl'], 'PACKAGE_NAME_INVALID', '"git curl"'],
    [['--package', "a'b"], 'PACKAGE_NAME_INVALID', '"a\'b"'],
    [['--package', 'a;reboot'], 'PACKAGE_NAME_INVALID', '"a;reboot"'],
    [['--without', 'nosuch'], 'STEP_UNKNOWN', '"nosuch"'],
    [['--preset', 'huge'], 'REQUEST_INVALID', '--preset'],
    [['--script', '/nonexistent'], 'REQUEST_INVALID', '--script: /nonexistent does not exist'],
    [['--step-timeout', '5'], 'REQUEST_INVALID', 'is not a duration'],
  ])('image build %j is refused before anything is sent', async (flags, code, message) => {
    const { status, stderr } = await banger.run(['image', 'build', 'dev', '--from', 'debian', ...flags]);
    expect(stderr).toContain(message);
    expect(stderr).toContain(`(${code})`);
    expect(stderr).toContain('hint: ');
    expect(status).toBe(2);
    expect(daemon.requests).toEqual([]);
  });

  test.each([['../x'], ['$(reboot)'], ['A'], ['a'.repeat(64)], ['']])('the name %j is refused', async (name) => {
    const { status, stderr } = await banger.run(['image', 'show', '--', name]);
    expect(stderr).toContain('a name is 1 to 63 characters');
    expect(status).toBe(2);
  });

  test('no command at all: the help, and status 2', async () => {
    const all = await banger.run([]);
    expect(all.status).toBe(2);
    expect(all.stderr).toContain('Usage: banger');
    const group = await banger.run(['vm']);
    expect(group.status).toBe(2);
    expect(group.stderr).toContain('Usage: banger vm');
  });

  test('help is a result', async () => {
    const { status, stdout, stderr } = await banger.run(['image', 'build', '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('--keep-failed');
    expect(stdout).toContain('Steps, in their order: base, packages, network, agent, mise');
  });
});

describe('operations', () => {
  test('a build: the request in full, its stages line by line, the image at the end', async () => {
    daemon.on('imageBuild', ({ params }) => {
      const operation = daemon.newOperation('image.build', params['name'] ?? '');
      operation.stage('clone', 'running').stage('clone', 'succeeded', { durationMs: 1400, note: 'reflink' });
      operation.stage('step:packages', 'running').log('step:packages', 'Unpacking \u001b[1mgit\u001b[0m');
      operation.end('succeeded', { result: sampleImage({ name: 'dev' }) });
      return operation.operation;
    });
    await writeFile(join(banger.home, 'user.sh'), 'echo hello\n');
    const { status, stdout, stderr } = await banger.run(
      [
        ...['image', 'build', 'dev', '--from', 'debian', '--preset', 'minimal', '--size', '4G', '--package', 'git'],
        ...['--package', 'curl', '--docker', '--without', 'tmux', '--kernel', 'boot/k', '--script', 'user.sh'],
        ...['--step-timeout', '20m', '--keep-failed'],
      ],
      { cwd: banger.home },
    );
    expect(stderr).toMatch(/^\d\d:\d\d:\d\d clone: succeeded in 1\.4 s \(reflink\)$/m);
    expect(stderr).toMatch(/^\d\d:\d\d:\d\d step:packages \| Unpacking git$/m);
    expect(stdout).toMatch(/^name: +dev$/m);
    expect(status).toBe(0);
    expect(sent('imageBuild')).toEqual([
      {
        params: { name: 'dev' },
        body: {
          from: 'debian',
          preset: 'minimal',
          sizeBytes: 4 * 2 ** 30,
          packages: ['git', 'curl'],
          docker: true,
          without: ['tmux'],
          kernelPath: join(banger.home, 'boot', 'k'),
          userScript: 'echo hello\n',
          stepTimeoutMs: 1_200_000,
          keepFailed: true,
        },
      },
    ]);
  });

  test('with --json: the operation as it ended, and no progress', async () => {
    daemon.on('imagePromote', () => {
      const operation = daemon.newOperation('image.promote', 'debian').stage('copy', 'running');
      return operation.end('succeeded', { result: sampleImage() }).operation;
    });
    const { status, stdout, stderr } = await banger.run(['image', 'promote', 'debian', '--json']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ state: 'succeeded', result: { name: 'debian' } });
  });

  test('a failure: the step’s last lines, the hint, the code, the operation’s id', async () => {
    daemon.on('imageBuild', () => {
      const operation = daemon.newOperation('image.build', 'dev').stage('step:packages', 'running');
      operation.log('step:packages', 'E: Unable to locate package nosuch').stage('step:packages', 'failed');
      const error = { code: 'BUILD_STEP_FAILED', message: 'Step packages failed', hint: 'Look.', details: {} } as const;
      return operation.end('failed', { error }).operation;
    });
    const { status, stderr } = await banger.run(['image', 'build', 'dev', '--from', 'debian']);
    expect(status).toBe(1);
    expect(stderr.slice(stderr.indexOf('error:'))).toBe(
      [
        'error: Step packages failed',
        '  last lines:',
        '    E: Unable to locate package nosuch',
        'hint: Look.',
        '(BUILD_STEP_FAILED, operation op-0000000001)',
        '',
      ].join('\n'),
    );
  });

  test('Ctrl-C: the operation goes on, and how to follow or cancel it is told', async () => {
    let stayed: Operation | undefined;
    daemon.on('imageBuild', () => {
      stayed = daemon.newOperation('image.build', 'dev').stage('boot', 'running').operation;
      return stayed;
    });
    const running = banger.start(['image', 'build', 'dev', '--from', 'debian']);
    await running.says('boot: running');
    running.kill('SIGINT');
    const { status, stderr } = await running.ended;
    expect(stderr).toContain('image.build of dev goes on as op-0000000001.');
    expect(stderr).toContain('banger op logs -f op-0000000001');
    expect(stderr).toContain('banger op cancel op-0000000001');
    expect(status).toBe(130);
    expect(sent('operationCancel')).toEqual([]);
    expect(stayed?.state).toBe('running');
  });

  test('a stream that breaks is resumed: every line comes once', async () => {
    const operation = daemon.newOperation('image.build', 'dev');
    daemon.on('imageBuild', () => operation.stage('boot', 'running').log('boot', 'line 1').operation);
    const running = banger.start(['image', 'build', 'dev', '--from', 'debian']);
    await running.says('line 1');
    const again = daemon.next('operationEvents');
    operation.breakStreams();
    operation.log('boot', 'line 2');
    await again;
    operation.log('boot', 'line 3').end('succeeded', { result: sampleImage() });
    const { status, stderr } = await running.ended;
    expect(stderr.match(/line \d/g)).toEqual(['line 1', 'line 2', 'line 3']);
    expect(status).toBe(0);
  });

  test('several targets: those that fail are reported, the others still have their turn', async () => {
    const names = ['one', 'two', 'three'];
    daemon.on('vmList', () => names.map((name, index) => sampleVm({ id: `vm-00000000a${index}`, name })));
    daemon.on('vmDelete', ({ params }) => {
      if (params['name'] === 'two') throw new FakeRefusal('VM_NOT_FOUND', 'There is no VM two');
      return daemon.newOperation('vm.delete', params['name'] ?? '').end('succeeded').operation;
    });
    const { status, stdout, stderr } = await banger.run(['vm', 'delete', 'one', 'two', 'four', 't*', 'one']);
    expect(stdout).toBe('one deleted\nthree deleted\n');
    expect(stderr).toContain('error: There is no VM two');
    expect(stderr).toContain('error: There is no VM "four".');
    expect(status).toBe(1);
    expect(sent('vmDelete')).toHaveLength(3);
  });

  test('op show and op logs', async () => {
    const operation = daemon.newOperation('vm.start', 'calm-otter').stage('boot', 'succeeded', { durationMs: 900 });
    operation.log('boot', 'hello').end('succeeded');
    daemon.on('operationLog', () => '[boot] hello\n[boot] \u001b[2Jbye\n');
    const shown = await banger.run(['op', 'show', 'op-0000000001']);
    expect(shown.stdout).toMatch(/^boot +succeeded +0\.9 s$/m);
    expect((await banger.run(['op', 'logs', 'op-0000000001'])).stdout).toBe('[boot] hello\n[boot] ^[[2Jbye\n');
    const followed = await banger.run(['op', 'logs', '-f', 'op-0000000001']);
    expect(followed.stdout).toMatch(/boot \| hello$/m);
    const events = (await banger.run(['op', 'logs', '--json', 'op-0000000001'])).stdout.trimEnd().split('\n');
    expect(events.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(['stage', 'log', 'end']);
  });

  test('op cancel waits until all is undone', async () => {
    const operation = daemon.newOperation('image.build', 'dev').stage('boot', 'running');
    daemon.on('operationCancel', () => operation.operation);
    const asked = daemon.next('operationEvents');
    const running = banger.start(['op', 'cancel', 'op-0000000001']);
    await asked;
    operation.end('cancelled');
    expect(await running.ended).toMatchObject({ status: 0, stdout: 'image.build of dev: cancelled\n' });
  });

  test('an error with --json is JSON on stderr', async () => {
    const { status, stdout, stderr } = await banger.run(['op', 'show', 'op-zzzz', '--json']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'OPERATION_NOT_FOUND' } });
  });
});

describe('the rest', () => {
  test('version and config path ask no daemon', async () => {
    expect((await banger.run(['version'])).stdout).toBe(`banger 0.1.0 (${banger.buildId}, Node ${process.version})\n`);
    expect((await banger.run(['config', 'path'])).stdout).toBe(`${join(banger.home, 'config', 'config.toml')}\n`);
    expect(daemon.requests).toEqual([]);
  });

  test('config show prints what the config file takes; with --json sizes are bytes', async () => {
    const config = configSchema.parse({ vm_defaults: { memory: '1.5G', disk_size: '8G' }, apt: { proxy: 'http://a' } });
    daemon.on('configShow', () => config);
    const { stdout } = await banger.run(['config', 'show']);
    expect(stdout).toContain('vm_defaults.memory = "1536M"\nvm_defaults.disk_size = "8G"\napt.proxy = "http://a"\n');
    expect(parseConfig(stdout, 'config.toml')).toEqual(config);
    expect(JSON.parse((await banger.run(['config', 'show', '--json'])).stdout)).toEqual(config);
  });

  test('image show and history', async () => {
    daemon.on('imageShow', () => sampleImage());
    daemon.on('imageHistory', () => ({
      entries: [{ imageName: 'debian', digest: sampleImage().digest, provenance: sampleImage().provenance }],
      packages: ['adduser 3.134', 'apt 2.6.1'],
    }));
    expect((await banger.run(['image', 'show', 'debian'])).stdout).toMatch(/^made by: +bootstrap$/m);
    const { stdout } = await banger.run(['image', 'history', 'debian', '--packages']);
    expect(stdout).toContain('bootstrap by banger 0.1.0\n  release=bookworm\n');
    expect(stdout).toContain('2 packages are installed:\n  adduser 3.134\n  apt 2.6.1\n');
  });

  test('the launcher works through symbolic links, with a relative BANGER_HOME, in a folder with blanks', async () => {
    const { symlink, mkdir } = await import('node:fs/promises');
    const odd = join(banger.home, "odd 'dir");
    await mkdir(odd);
    await symlink(join(banger.root, 'bin', 'banger'), join(odd, 'first'));
    await symlink('first', join(odd, 'second link'));
    const { run } = await import('../../../src/host/process.ts');
    const { stdout } = await run([join(odd, 'second link'), 'config', 'path'], {
      cwd: odd,
      env: { BANGER_HOME: 'here' },
    });
    expect(stdout).toBe(`${join(odd, 'here', 'config', 'config.toml')}\n`);
  });

  test('completion: a script for each shell; words, flags and names to complete', async () => {
    daemon.on('vmList', () => [sampleVm(), sampleVm({ name: 'brisk-lynx' })]);
    for (const shell of ['bash', 'zsh', 'fish']) {
      expect((await banger.run(['completion', shell])).stdout).toContain('complete --');
    }
    expect((await banger.run(['completion', 'tcsh'])).status).toBe(2);
    const offered = async (...words: readonly string[]) =>
      (await banger.run(['complete', '--', ...words])).stdout.split('\n').map((line) => line.split('\t')[0]);
    expect(await offered('im')).toContain('image');
    expect(await offered('image', 'b')).toEqual(expect.arrayContaining(['bootstrap', 'build']));
    expect(await offered('image', 'build', '--k')).toEqual(expect.arrayContaining(['--kernel', '--keep-failed']));
    expect(await offered('vm', 'show', '')).toEqual(expect.arrayContaining(['calm-otter', 'brisk-lynx']));
  });
});
