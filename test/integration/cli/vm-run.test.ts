import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BangerCopy, copyBanger } from '../../support/banger-copy.ts';
import { FakeDaemon, type FakeOperation } from '../../support/fake-daemon.ts';
import { sampleVm } from '../../support/samples.ts';
import { type LocalSshd, startSshd } from '../../support/sshd.ts';

let banger: BangerCopy;
let daemon: FakeDaemon;
let sshd: LocalSshd;
let keys: string;

beforeAll(async () => {
  banger = await copyBanger();
  keys = await realpath(await mkdtemp(join(tmpdir(), "banger-keys' %h-")));
  for (const name of ['host', 'client', 'other']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(keys, name)]);
  }
  const read = async (name: string): Promise<string> => (await readFile(join(keys, name), 'utf8')).trim();
  sshd = await startSshd({
    hostKey: { privateKey: `${await read('host')}\n`, publicKey: await read('host.pub') },
    clientPublicKey: await read('client.pub'),
  });
  await writeFile(join(keys, 'known_hosts'), `vm-0123456789 ${await read('host.pub')}\n`);
  await writeFile(join(keys, 'wrong_hosts'), `vm-0123456789 ${await read('other.pub')}\n`);
});
afterAll(async () => {
  await sshd?.stop();
  await banger?.[Symbol.asyncDispose]();
  await rm(keys, { recursive: true, force: true });
});

beforeEach(async () => {
  daemon = await FakeDaemon.start(banger);
  daemon.on('vmSshAccess', ({ params }) => ({
    vmName: params['name'] ?? '',
    user: userInfo().username,
    identityPath: join(keys, 'client'),
    knownHostsPath: join(keys, 'known_hosts'),
    hostKeyAlias: 'vm-0123456789',
  }));
  daemon.onTunnel = (socket) => {
    const guest = connect(sshd.target.port, sshd.target.address);
    socket.on('error', () => guest.destroy());
    guest.on('error', () => socket.destroy());
    socket.pipe(guest).pipe(socket);
  };
  return () => daemon[Symbol.asyncDispose]();
});

/** Lets `vm create` succeed at once, and notes what is deleted. */
function withVm(): { readonly created: () => unknown; readonly deleted: () => readonly string[] } {
  daemon.on('vmCreate', ({ body }) => {
    const { ephemeral } = body as { ephemeral: boolean };
    return daemon.newOperation('vm.create', 'calm-otter').end('succeeded', { result: sampleVm({ ephemeral }) })
      .operation;
  });
  daemon.on(
    'vmDelete',
    ({ params }) => daemon.newOperation('vm.delete', params['name'] ?? '').end('succeeded').operation,
  );
  const of = (route: string) => daemon.requests.filter((request) => request.route === route);
  return {
    created: () => of('vmCreate')[0]?.body,
    deleted: () => of('vmDelete').map(({ params }) => params['name'] ?? ''),
  };
}

describe('vm ssh', () => {
  test('several words reach the command exactly as they are', async () => {
    const words = ['a b', "it's", '$HOME', '"', '*', '-n', '', 'x;y', 'é\\n'];
    const { status, stdout } = await banger.run(['vm', 'ssh', 'calm-otter', '--', 'printf', '%s\\n', ...words]);
    expect(stdout).toBe(words.map((word) => `${word}\n`).join(''));
    expect(status).toBe(0);
  });

  test('one word is shell text', async () => {
    const { stdout } = await banger.run(['vm', 'ssh', 'calm-otter', '--', 'echo one; echo two three | wc -w']);
    expect(stdout).toBe('one\n2\n');
  });

  test('the exit status is the command’s, its stdin ours', async () => {
    const ended = await banger.run(['vm', 'ssh', 'calm-otter', '--', 'cat; exit 7'], { input: 'from here' });
    expect(ended).toMatchObject({ status: 7, stdout: 'from here' });
  });

  test('much comes through whole', async () => {
    const { stdout } = await banger.run(['vm', 'ssh', 'calm-otter', '--', 'head -c 5000000 /dev/zero | tr "\\0" x']);
    expect(stdout).toHaveLength(5_000_000);
  });

  test('another host key is refused', async () => {
    daemon.on('vmSshAccess', () => ({
      vmName: 'calm-otter',
      user: userInfo().username,
      identityPath: join(keys, 'client'),
      knownHostsPath: join(keys, 'wrong_hosts'),
      hostKeyAlias: 'vm-0123456789',
    }));
    const { status, stderr } = await banger.run(['vm', 'ssh', 'calm-otter', '--', 'true']);
    expect(stderr).toContain('Host key verification failed');
    expect(status).toBe(255);
  });

  test('a guest that does not answer: its error, and what status 255 means', async () => {
    daemon.onTunnel = undefined;
    const { status, stderr } = await banger.run(['vm', 'ssh', 'calm-otter', '--', 'true']);
    expect(stderr).toContain('error: nobody listens');
    expect(stderr).toContain('(GUEST_UNREACHABLE)');
    expect(stderr).toContain('ssh ended with status 255');
    expect(status).toBe(255);
  });

  test('--json prints what ssh would be given, and runs nothing', async () => {
    const { stdout } = await banger.run(['vm', 'ssh', 'calm-otter', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ user: userInfo().username, argv: expect.arrayContaining(['ssh']) });
  });
});

describe('vm run', () => {
  test('creates, runs, and says that the VM goes on', async () => {
    const vm = withVm();
    const { status, stdout, stderr } = await banger.run([
      ...[
        'vm',
        'run',
        '--name',
        'calm-otter',
        '--image',
        'dev',
        '--cpus',
        '4',
        '--memory',
        '2G',
        '--disk',
        '10G',
        '--nat',
      ],
      ...['--', 'echo', 'said inside'],
    ]);
    expect(stdout).toBe('said inside\n');
    expect(stderr).toContain('VM calm-otter goes on running');
    expect(status).toBe(0);
    expect(vm.created()).toEqual({
      name: 'calm-otter',
      image: 'dev',
      cpus: 4,
      memoryBytes: 2 * 2 ** 30,
      diskBytes: 10 * 2 ** 30,
      nat: true,
      peers: [],
      start: true,
      ephemeral: false,
      leased: false,
    });
    expect(vm.deleted()).toEqual([]);
  });

  test('--rm deletes the VM afterwards, whatever the command’s status', async () => {
    const vm = withVm();
    const { status, stderr } = await banger.run(['vm', 'run', '--rm', '--', 'exit 3']);
    expect(status).toBe(3);
    expect(stderr).not.toContain('goes on running');
    expect(vm.deleted()).toEqual(['calm-otter']);
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
    ['SIGINT', 130],
  ] as const)('--rm deletes the VM when %s comes while the command runs', async (signal, expected) => {
    const vm = withVm();
    // It ends with its connection, so nothing of it is left behind.
    const running = banger.start(['vm', 'run', '--rm', '--', 'echo ready; exec cat'], { keepsInputOpen: true });
    await running.prints('ready');
    running.kill(signal);
    const { status } = await running.ended;
    expect(status).toBe(expected);
    expect(vm.deleted()).toEqual(['calm-otter']);
  });

  test('--rm cancels the creation when it is interrupted meanwhile, and waits until it is undone', async () => {
    let creation: FakeOperation | undefined;
    daemon.on('vmCreate', () => {
      creation = daemon.newOperation('vm.create', 'calm-otter').stage('boot', 'running');
      return creation.operation;
    });
    daemon.on('operationCancel', ({ params }) => {
      const operation = daemon.operations.get(params['id'] ?? '');
      return operation?.end('cancelled').operation ?? expect.unreachable();
    });
    const running = banger.start(['vm', 'run', '--rm', '--', 'true']);
    await running.says('boot: running');
    running.kill('SIGINT');
    const { status, stderr } = await running.ended;
    expect(stderr).toContain('The creation of calm-otter was cancelled.');
    expect(status).toBe(130);
    expect(creation?.operation.state).toBe('cancelled');
  });

  test('--rm deletes a VM that was ready just before the cancel came', async () => {
    const vm = withVm();
    daemon.on('vmCreate', () => daemon.newOperation('vm.create', 'calm-otter').stage('boot', 'running').operation);
    daemon.on('operationCancel', ({ params }) => {
      const operation = daemon.operations.get(params['id'] ?? '');
      return operation?.end('succeeded', { result: sampleVm({ ephemeral: true }) }).operation ?? expect.unreachable();
    });
    const running = banger.start(['vm', 'run', '--rm', '--', 'true']);
    await running.says('boot: running');
    running.kill('SIGINT');
    expect((await running.ended).status).toBe(130);
    expect(vm.deleted()).toEqual(['calm-otter']);
  });

  test('without --rm an interrupted creation goes on', async () => {
    daemon.on('vmCreate', () => daemon.newOperation('vm.create', 'calm-otter').stage('boot', 'running').operation);
    const running = banger.start(['vm', 'run', '--', 'true']);
    await running.says('boot: running');
    running.kill('SIGINT');
    const { status, stderr } = await running.ended;
    expect(stderr).toContain('vm.create of calm-otter goes on as op-0000000001.');
    expect(status).toBe(130);
  });

  test('--json: the command’s output on stderr, the VM and the status on stdout', async () => {
    withVm();
    const { status, stdout, stderr } = await banger.run(['vm', 'run', '--json', '--rm', '--', 'echo inside; exit 4']);
    expect(JSON.parse(stdout)).toMatchObject({ vm: { name: 'calm-otter' }, exitStatus: 4 });
    expect(stderr).toBe('inside\n');
    expect(status).toBe(4);
  });

  test('--detach prints the name and runs nothing', async () => {
    withVm();
    expect(await banger.run(['vm', 'run', '-d'])).toMatchObject({ status: 0, stdout: 'calm-otter\n' });
    expect(daemon.requests.map(({ route }) => route)).not.toContain('vmSshAccess');
  });

  test('an image that is not there: the daemon’s words, nothing entered', async () => {
    const { FakeRefusal } = await import('../../support/fake-daemon.ts');
    daemon.on('vmCreate', () => {
      throw new FakeRefusal('IMAGE_NOT_FOUND', 'There is no image nosuch');
    });
    const { status, stderr } = await banger.run(['vm', 'run', '--image', 'nosuch', '--', 'true']);
    expect(stderr).toContain('error: There is no image nosuch');
    expect(status).toBe(1);
  });
});
