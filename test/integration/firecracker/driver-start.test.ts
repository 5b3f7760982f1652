import { chmodSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../src/core/app-error.ts';
import type { StubPlan } from '../../fakes/firecracker-stub/stub-plan.ts';
import { driverBench } from './driver-bench.ts';

const NEVER = new AbortController().signal;
const SHORT_MS = 400;

async function failureOf(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(AppError);
  return error as AppError;
}

describe('a start', () => {
  test('asks for the machine, writes down who it is, and lets the guest run last', async () => {
    const asked: string[] = [];
    const bench = await driverBench();
    const machine = await bench.engine.start(
      {
        ...bench.spec,
        onIdentity: async (identity) => {
          asked.push(...bench.stub.requests().map(({ name }) => name));
          await bench.spec.onIdentity(identity);
        },
      },
      NEVER,
    );
    expect(asked).not.toContain('PUT /actions InstanceStart');
    expect(bench.stub.requests().map(({ name }) => name)).toEqual([
      'GET /version',
      ...['PUT /logger', 'PUT /metrics', 'PUT /serial', 'PUT /machine-config', 'PUT /boot-source', 'PUT /drives/root'],
      ...['PUT /network-interfaces/eth0', 'PUT /vsock', 'PUT /entropy', 'PUT /balloon'],
      ...['GET /vm/config', 'PUT /actions InstanceStart', 'GET /'],
    ]);
    expect(bench.identities).toEqual([machine.identity]);
    expect(machine.identity).toMatchObject({
      engine: 'firecracker',
      accelerator: 'kvm',
      pid: bench.stub.starts()[0]?.pid,
      controlSocketPath: bench.spec.controlSocketPath,
      agentSocketPath: bench.spec.agentSocketPath,
      jailDir: undefined,
    });
    expect(machine).toMatchObject({ bootRetries: 0, endsBy: 'reboot' });
    await machine.kill();
    expect(bench.left()).toEqual([]);
  });

  test('gives it files of its own, with nothing of an earlier run', async () => {
    const bench = await driverBench();
    for (const name of ['console.log', 'vmm.log', 'metrics.ndjson', 'qmp.sock', 'agent.sock']) {
      writeFileSync(join(bench.dir, name), 'an earlier run\n', { mode: 0o644 });
    }
    const machine = await bench.engine.start(bench.spec, NEVER);
    for (const name of ['console.log', 'vmm.log', 'metrics.ndjson']) {
      expect(statSync(join(bench.dir, name)).mode & 0o777).toBe(0o600);
      expect(readFileSync(join(bench.dir, name), 'utf8')).not.toContain('earlier run');
    }
    await machine.kill();
  });

  test('is tried again where the guest shows no life', async () => {
    const bench = await driverBench({ silentBoots: 2 }, { bootTimeoutsMs: [SHORT_MS, SHORT_MS, 20_000] });
    const machine = await bench.engine.start(bench.spec, NEVER);
    expect(machine.bootRetries).toBe(2);
    expect(bench.running()).toEqual([machine.identity.pid]);
    expect(bench.identities).toHaveLength(3);
    await machine.kill();
  });
});

describe.each([
  ['alone', false],
  ['in a jail', true],
] as const)('%s, a start that fails leaves nothing', (_where, isJailed) => {
  test.for<[string, StubPlan, string, RegExp]>([
    ['is another version', { version: '1.13.0' }, 'ENGINE_UNAVAILABLE', /1\.13\.0 is too old/],
    [
      'ends at once',
      { exitAtOnce: { status: 153, stderr: 'bad \u001b[31mflag' } },
      'ENGINE_FAILED',
      /command line.*bad \?\[31mflag/,
    ],
    ['panics', { die: { 'GET /version': 'SIGABRT' } }, 'ENGINE_FAILED', /it panicked/],
    [
      'finds its TAP busy',
      refusal('PUT /network-interfaces/eth0', 'Resource busy (os error 16)'),
      'ENGINE_FAILED',
      /PUT \/network-interfaces\/eth0 \(400\): Resource busy/,
    ],
    [
      'cannot have KVM',
      refusal('PUT /actions InstanceStart', 'Kvm error: Error creating KVM object'),
      'ENGINE_FAILED',
      /Kvm error/,
    ],
    [
      'does nothing with a drive',
      { noEffect: ['PUT /drives/root'] },
      'ENGINE_FAILED',
      /not as it was asked for: drives/,
    ],
    [
      'does not start the guest',
      { noEffect: ['PUT /actions InstanceStart'] },
      'ENGINE_FAILED',
      /its state is "Not started"/,
    ],
    ['ends while it is asked', { die: { 'PUT /vsock': 148 } }, 'ENGINE_FAILED', /filter forbids/],
    ['ends as its guest runs', { die: { 'GET /': 1 } }, 'BOOT_EXITED', /status 1/],
  ])('where Firecracker %s', async ([_what, plan, code, words], context) => {
    if (isJailed && process.geteuid?.() !== 0) context.skip('needs root');
    const bench = await driverBench(plan, { isJailed });
    const error = await failureOf(bench.engine.start(bench.spec, NEVER));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
    expect(bench.running()).toEqual([]);
    expect(bench.left()).toEqual([]);
  });

  test('where the guest never shows life', async (context) => {
    if (isJailed && process.geteuid?.() !== 0) context.skip('needs root');
    const bench = await driverBench({ silentBoots: 9 }, { isJailed, bootTimeoutsMs: [SHORT_MS, SHORT_MS] });
    const error = await failureOf(bench.engine.start(bench.spec, NEVER));
    expect(error).toMatchObject({ code: 'BOOT_TIMEOUT', message: expect.stringContaining('2 tries') });
    expect(bench.running()).toEqual([]);
    expect(bench.left()).toEqual([]);
  });

  test.for<[string, StubPlan, string]>([
    ['it does not listen', { isDeaf: true }, 'start'],
    ['it does not answer', { hang: ['PUT /boot-source'] }, 'PUT /boot-source'],
    ['the console is silent', { silentBoots: 1 }, 'GET /'],
  ])('where it is cancelled while %s', async ([_when, plan, phase], context) => {
    if (isJailed && process.geteuid?.() !== 0) context.skip('needs root');
    const bench = await driverBench(plan, { isJailed });
    const abort = new AbortController();
    const reason = new AppError('OPERATION_CANCELLED', 'cancelled by the test');
    const start = failureOf(bench.engine.start(bench.spec, abort.signal));
    await bench.stub.reached(phase);
    abort.abort(reason);
    expect(await start).toBe(reason);
    expect(bench.running()).toEqual([]);
    expect(bench.left()).toEqual([]);
  });

  test('where it hangs', { timeout: 60_000 }, async (context) => {
    if (isJailed && process.geteuid?.() !== 0) context.skip('needs root');
    const bench = await driverBench({ hang: ['PUT /boot-source'] }, { isJailed });
    const error = await failureOf(bench.engine.start(bench.spec, NEVER));
    expect(error).toMatchObject({
      code: 'ENGINE_FAILED',
      message: expect.stringMatching(/PUT \/boot-source within \d+ ms/),
    });
    expect(bench.running()).toEqual([]);
    expect(bench.left()).toEqual([]);
  });

  test('where what `onIdentity` throws comes out', async (context) => {
    if (isJailed && process.geteuid?.() !== 0) context.skip('needs root');
    const bench = await driverBench({}, { isJailed });
    const full = new AppError('DISK_FULL', 'no space for the runtime record');
    expect(await failureOf(bench.engine.start({ ...bench.spec, onIdentity: () => Promise.reject(full) }, NEVER))).toBe(
      full,
    );
    expect(bench.running()).toEqual([]);
    expect(bench.left()).toEqual([]);
  });
});

function refusal(name: string, text: string): StubPlan {
  return { refuse: { [name]: text } };
}

describe('before anything is made', () => {
  test('a socket’s path that is too long is refused', async () => {
    const bench = await driverBench({}, { spec: { agentSocketPath: `/${'s'.repeat(107)}` } });
    expect(await failureOf(bench.engine.start(bench.spec, NEVER))).toMatchObject({ code: 'PATH_TOO_LONG' });
    expect(bench.stub.starts()).toEqual([]);
  });

  test.each([
    ['kernelPath', 'kernel'],
    ['initrdPath', 'initial ramdisk'],
  ])('a missing file is named: %s', async (key, what) => {
    const bench = await driverBench({}, { spec: { [key]: '/nonexistent' } });
    expect(await failureOf(bench.engine.start(bench.spec, NEVER))).toMatchObject({
      code: 'IMAGE_FILES_MISSING',
      message: `The ${what} cannot be opened (ENOENT): /nonexistent`,
    });
    expect(bench.stub.starts()).toEqual([]);
  });

  test('a kernel that is no ELF is refused', async () => {
    const bench = await driverBench();
    writeFileSync(bench.spec.kernelPath, 'MZ');
    expect(await failureOf(bench.engine.start(bench.spec, NEVER))).toMatchObject({ code: 'KERNEL_INVALID' });
  });

  test('more processors or drives than there can be are refused', async () => {
    const drives = Array.from({ length: 14 }, (_, index) => ({ id: `d${index}`, path: '/d', readOnly: true }));
    for (const spec of [{ cpus: 33 }, { drives }]) {
      const bench = await driverBench({}, { spec });
      expect((await failureOf(bench.engine.start(bench.spec, NEVER))).message).toContain('32 processors and 13 drives');
    }
  });

  test('a program that is not there is named', async () => {
    const bench = await driverBench();
    chmodSync(bench.stub.path, 0o600);
    expect(await failureOf(bench.engine.start(bench.spec, NEVER))).toMatchObject({ code: 'ENGINE_FAILED' });
    expect(bench.left()).toEqual([]);
  });
});

describe('in a jail', () => {
  test('files are where the VMM looks, of a user of its own, and ours again when it is gone', async (context) => {
    if (process.geteuid?.() !== 0) context.skip('needs root');
    const bench = await driverBench({}, { isJailed: true });
    const machine = await bench.engine.start(bench.spec, NEVER);
    const { jailDir = '' } = machine.identity;
    expect(jailDir).toBe(join(bench.jailsDir, 'firecracker', bench.spec.id));
    const owner = statSync(jailDir).uid;
    expect(owner).toBeGreaterThanOrEqual(1_900_000_000);
    const diskPath = join(jailDir, 'root', 'drives', 'root');
    expect(statSync(diskPath).ino).toBe(statSync(join(bench.dir, 'disk.ext4')).ino);
    for (const path of [diskPath, bench.spec.consolePath, join(jailDir, 'root')])
      expect(statSync(path).uid).toBe(owner);
    // Everybody may read the kernel: the file itself is there, and stays ours.
    expect(statSync(join(jailDir, 'root', 'kernel'))).toMatchObject({
      ino: statSync(bench.spec.kernelPath).ino,
      uid: 0,
    });
    expect(lstatSync(bench.spec.controlSocketPath).isSymbolicLink()).toBe(true);
    const argv = bench.stub.starts()[0]?.argv ?? [];
    expect(argv.slice(0, 4)).toEqual(['--id', bench.spec.id, '--start-time-us', '1']);
    await machine.kill();
    expect(bench.left()).toEqual([]);
    expect(statSync(join(bench.dir, 'disk.ext4'))).toMatchObject({ uid: 0, nlink: 1 });
    expect(statSync(bench.spec.consolePath)).toMatchObject({ uid: 0, nlink: 1 });
  });

  test('a kernel that not everybody may read is copied', async (context) => {
    if (process.geteuid?.() !== 0) context.skip('needs root');
    const bench = await driverBench({}, { isJailed: true });
    chmodSync(bench.spec.kernelPath, 0o600);
    const machine = await bench.engine.start(bench.spec, NEVER);
    const jailed = statSync(join(machine.identity.jailDir ?? '', 'root', 'kernel'));
    expect(jailed.ino).not.toBe(statSync(bench.spec.kernelPath).ino);
    expect(jailed.mode & 0o777).toBe(0o400);
    expect(statSync(bench.spec.kernelPath).uid).toBe(0);
    await machine.kill();
  });

  test('two machines that start at once have users of their own', async (context) => {
    if (process.geteuid?.() !== 0) context.skip('needs root');
    const benches = await Promise.all([driverBench({}, { isJailed: true }), driverBench({}, { isJailed: true })]);
    const [first] = benches;
    const machines = await Promise.all([
      first.engine.start(first.spec, NEVER),
      first.engine.start(
        {
          ...benches[1].spec,
          id: 'vm-aaaaaaaaaa',
        },
        NEVER,
      ),
    ]);
    const owners = machines.map(({ identity }) => statSync(identity.jailDir ?? '').uid);
    expect(new Set(owners).size).toBe(2);
    expect(machines.map(({ identity }) => basename(identity.jailDir ?? ''))).toEqual([first.spec.id, 'vm-aaaaaaaaaa']);
    await Promise.all(machines.map((machine) => machine.kill()));
    expect(first.left()).toEqual([]);
  });
});
