/**
 * The real daemon with a home of its own, whose QEMU is a fake and whose guests are namespaces with a real sshd.
 * It runs from a copy of the sources: what changes in the checkout meanwhile changes nothing here.
 */
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, type TestContext } from 'vitest';
import { ApiClient, type CallInput, type SyncCall } from '../../src/client/api-client.ts';
import type { OperationEvent } from '../../src/contracts/event.ts';
import type { Operation } from '../../src/contracts/operation.ts';
import { hasCode } from '../../src/host/error-code.ts';
import { type Paths, resolvePaths } from '../../src/host/paths.ts';
import { ProcessError, run, type RunResult } from '../../src/host/process.ts';
import { launch, type RunOptions, type Running } from './banger-copy.ts';
import { type FakeGuest, installFakeGuest } from '../fakes/guest/install-fake-guest.ts';
import { type FakeQemu, installFakeQemu } from '../fakes/qemu/install-fake-qemu.ts';
import { type HeldTools, installHeldTools } from './held-tools.ts';
import { type HostState, hostState, processesOf } from './host-state.ts';
import { inside } from './netns.ts';
import { isRunning } from './process-evidence.ts';

import { makeTinyImage, type TinyImage } from './tiny-image.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..');
const ANY_STATUS = Array.from({ length: 256 }, (_, status) => status);
/** For processes that have been told to end to be gone: nobody is told of the end of another's children. */
const SETTLE_TIMEOUT_MS = 15_000;

export interface DaemonHomeOptions {
  /** Deadlines of a guest's boot and power-off, as a part of the usual ones. */
  readonly timeoutScale?: number;
  /** A folder that is there already, for a home on a disk of its own. */
  readonly home?: string;
  /** More lines for the top of config.toml. */
  readonly config?: string;
  /** A network namespace that is the daemon's "host": guests are published there, and nowhere without. */
  readonly host?: string;
}

export interface DaemonHome extends AsyncDisposable {
  /** For files of the test's own; removed with the home. */
  readonly dir: string;
  readonly paths: Paths;
  readonly qemu: FakeQemu;
  readonly guest: FakeGuest;
  readonly tools: HeldTools;
  readonly image: TinyImage;
  readonly client: ApiClient;
  /** The CLI, begun; `HOME` is `dir`. */
  launch(args: readonly string[], options?: RunOptions): Running;
  /** The CLI, to its end, whatever its status. */
  banger(...args: readonly string[]): Promise<RunResult>;
  /** Starts the daemon, or finds it. @returns its pid. */
  start(): Promise<number>;
  /** SIGKILL, as a crash is. */
  crash(): Promise<void>;
  /** Starts an operation and follows it to its end. */
  perform(...call: OperationCall): Promise<Operation>;
  /** Waits for the event that is looked for. Fails where the operation ends before. */
  seen(operation: Operation, isIt: (event: OperationEvent) => boolean): Promise<OperationEvent>;
  ended(operation: Pick<Operation, 'id'>): Promise<Operation>;
  /**
   * Starts the daemon, gives it the image `tiny`, and lets it have had a VM already, the first of which makes the network.
   *
   * @returns the state that every test begins from, and must come back to.
   */
  begin(): Promise<HostState>;
  state(): Promise<HostState>;
  /** Everything is again as it was; what has just been killed is given time to go. */
  expectState(before: HostState): Promise<void>;
}

export type OperationCall = {
  [Name in SyncCall]: [name: Name, input: CallInput<Name>];
}['imageBuild' | 'imageRegister' | 'imagePromote' | 'imageDelete' | 'vmCreate' | 'vmStart' | 'vmStop' | 'vmDelete'];

/** Skips the test, with the reason, where none of this can work. */
export function needRoot(context: TestContext): void {
  if (process.getuid?.() !== 0) context.skip('the daemon and its fake guests need root for namespaces');
}

export async function makeDaemonHome(options: DaemonHomeOptions = {}): Promise<DaemonHome> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'bgr-')));
  const program = await copyProgram(join(dir, 'program'));
  const home = options.home ?? join(dir, 'home');
  const paths = resolvePaths({ BANGER_HOME: home }, 0);
  await mkdir(join(dir, 'fakes'));
  const guest = installFakeGuest(join(dir, 'fakes'));
  const qemu = installFakeQemu(join(dir, 'fakes'), { guestScript: guest.script });
  const tools = await installHeldTools(dir);
  await mkdir(join(home, 'config'), { recursive: true });
  // Nothing of a test is bound on this machine's own loopback.
  const publishing = `[network]\npublish_ports = ${options.host !== undefined}\n`;
  // The fake guests speak no matter what they run on, and a probe of KVM would be a start more for tests that count them.
  const accelerator = options.config?.includes('accelerator') ? '' : 'accelerator = "tcg"\n';
  const config = `qemu_bin = "${qemu.path}"\n${accelerator}${options.config ?? ''}\n${publishing}`;
  await writeFile(paths.configFile, config);
  const image = await makeTinyImage(join(dir, 'image'));
  const client = new ApiClient({ socketPath: paths.daemonSocket, sameBuild: true });

  const env = {
    BANGER_HOME: home,
    HOME: dir,
    PATH: `${tools.dir}:${process.env['PATH'] ?? ''}`,
    BANGER_TEST_TIMEOUT_SCALE: String(options.timeoutScale ?? 1),
  };
  const onHost = options.host === undefined ? (['env'] as const) : inside(options.host, ['env']);
  const banger = (...args: readonly string[]): Promise<RunResult> =>
    run([...onHost, join(program, 'bin/banger'), ...args], { okStatuses: ANY_STATUS, cwd: '/', env });
  const start = async (): Promise<number> => {
    const { stdout, stderr } = await banger('daemon', 'start', '--json');
    if (!stdout.startsWith('{')) throw new Error(`the daemon did not start: ${stderr}`);
    return (JSON.parse(stdout) as { pid: number }).pid;
  };
  const events = (operation: Pick<Operation, 'id'>): AsyncGenerator<OperationEvent, void> =>
    client.operationEvents(operation.id);
  const ended = async (operation: Pick<Operation, 'id'>): Promise<Operation> => {
    for await (const event of events(operation)) if (event.type === 'end') return event.operation;
    throw new Error(`operation ${operation.id} has no end`);
  };

  const perform = async (...[name, input]: OperationCall): Promise<Operation> => {
    const started: unknown = await client.call(name, input as CallInput<typeof name>);
    return ended(started as Operation);
  };

  return {
    dir,
    paths,
    qemu,
    guest,
    tools,
    image,
    client,
    launch: (args, options) => launch(program, args, { ...options, home, env: { ...env, ...options?.env } }),
    banger,
    start,
    async crash() {
      const { pid } = await client.call('daemonStatus', {});
      process.kill(pid, 'SIGKILL');
      while (isRunning(pid)) await delay(5);
    },
    perform,
    async seen(operation, isIt) {
      for await (const event of events(operation)) {
        if (isIt(event)) return event;
        if (event.type === 'end') throw new Error(`it ended first: ${JSON.stringify(event.operation, undefined, 1)}`);
      }
      throw new Error('the stream of events ended');
    },
    ended,
    async begin() {
      await start();
      await perform('imageRegister', { params: { name: 'tiny' }, body: image });
      await perform('vmCreate', { body: { name: 'first', image: 'tiny' } });
      await perform('vmDelete', { params: { name: 'first' } });
      return hostState(paths);
    },
    state: () => hostState(paths),
    async expectState(before) {
      await settle(paths, (now) => expect(now).toEqual(before));
    },
    async [Symbol.asyncDispose]() {
      try {
        await start();
        for (const { name } of await client.call('vmList', {})) {
          await ended(await client.call('vmDelete', { params: { name } }));
        }
        await banger('daemon', 'stop');
        await settle(paths, (left) => expect(left).toMatchObject({ processes: [], links: ['absent'], mounts: [] }));
      } finally {
        await sweep(paths);
        await rm(dir, { recursive: true, force: true });
      }
    },
  };
}

/** Looks until the assertion holds; its failure is the last look's. */
async function settle(paths: Paths, assert: (state: HostState) => void): Promise<void> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  for (;;) {
    const state = await hostState(paths);
    try {
      assert(state);
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(50);
    }
  }
}

/** What a test that failed has left; nothing where all went well. */
async function sweep(paths: Paths): Promise<void> {
  for (const { pid } of await processesOf(paths)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (!hasCode(error, 'ESRCH')) throw error;
    }
  }
  try {
    await run(['ip', 'netns', 'delete', paths.namespaceName]);
  } catch (error) {
    if (!(error instanceof ProcessError && /No such file/.test(error.stderr))) throw error;
  }
}

async function copyProgram(root: string): Promise<string> {
  for (const part of ['bin/banger', 'src', 'guest', 'dist/agent', 'package.json', 'package-lock.json']) {
    await cp(join(CHECKOUT, part), join(root, part), { recursive: true });
  }
  await symlink(join(CHECKOUT, 'node_modules'), join(root, 'node_modules'));
  return root;
}

/** What a test asks of a build that takes a moment; change it as needed. */
export const BUILD = { from: 'tiny', preset: 'minimal' } as const;
