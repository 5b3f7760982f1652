/**
 * Forwarders in waiting.
 *
 * The daemon enters a network namespace from which it cannot come back once it is no longer root, so whatever is to run
 * in the host's network has to be started before. A Node that only waits would take 45 MB from the first command on,
 * whether any guest runs or not. What waits instead is flock(1), which takes 2 MB and shares most of that: it opens the
 * file that it is to lock, the file is a FIFO, and opening a FIFO for reading waits for a writer (fifo(7)). The daemon wakes
 * it by opening the other end, and flock becomes the forwarder by exec.
 *
 * The kernel kills whoever waits and whoever serves when the daemon ends, however it ends (PR_SET_PDEATHSIG of prctl(2)): no
 * forwarder outlives its daemon, and none has to be found again, ended or replaced by a later one.
 */
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isBundled, packageRoot } from '../../host/build-id.ts';
import type { Paths } from '../../host/paths.ts';
import { run, supervise } from '../../host/process.ts';

const MKFIFO_TIMEOUT_MS = 5_000;
/** For setpriv to become flock, which is a matter of milliseconds. */
const EXEC_TIMEOUT_MS = 5_000;
const LOOK_AGAIN_MS = 2;
/** A small young generation, as the daemon's. */
const NODE_FLAGS = ['--max-semi-space-size=1'] as const;

export interface WaitersOptions {
  readonly paths: Paths;
  /** Goes before each program's argv: tests put them into a namespace of their own. */
  readonly prefix?: readonly string[];
}

/**
 * Starts two, the second in reserve for when the first crashes. Call it in the host's namespaces, in the process that becomes
 * the daemon, on its main thread: they end with it.
 *
 * @throws Error saying why they do not wait; the daemon can do without.
 */
export async function startWaiters({ paths, prefix = [] }: WaitersOptions): Promise<void> {
  await Promise.all(
    [paths.forwarderGate, paths.forwarderSpareGate].map(async (gate) => {
      await makeGate(gate);
      const [program = 'setpriv', ...args] = [...prefix, ...waiterArgv(gate, paths)];
      const { pid } = await supervise([program, ...args], { logPath: paths.forwarderLog, cwd: '/' });
      await untilWaiting(pid);
    }),
  );
}

/** A daemon that ends before the kernel was told to end it as well, because another holds the lock, would leave it behind. */
async function untilWaiting(pid: number): Promise<void> {
  const deadline = performance.now() + EXEC_TIMEOUT_MS;
  while ((await readFile(`/proc/${pid}/comm`, 'utf8')).trim() !== 'flock') {
    if (performance.now() > deadline) {
      process.kill(pid, 'SIGKILL');
      throw new Error(`the forwarder (pid ${pid}) does not begin to wait`);
    }
    await delay(LOOK_AGAIN_MS);
  }
}

function waiterArgv(gate: string, paths: Pick<Paths, 'forwarderSocket' | 'daemonSocket'>): string[] {
  const program = isBundled() ? join('dist', 'forwarder.cjs') : join('src', 'forwarder', 'main.ts');
  return [
    ...['setpriv', '--pdeathsig=KILL', '--'],
    ...['flock', '--no-fork', gate],
    ...[process.execPath, ...NODE_FLAGS, join(packageRoot(), program)],
    ...[`--control=${paths.forwarderSocket}`, `--daemon=${paths.daemonSocket}`, `--gate=${gate}`],
  ];
}

async function makeGate(path: string): Promise<void> {
  // Of two that make it at once one fails, and finds it there.
  await run(['mkfifo', '--mode=600', path], { timeoutMs: MKFIFO_TIMEOUT_MS, okStatuses: [0, 1] });
  if (!(await lstat(path)).isFIFO()) throw new Error(`${path} is there and is no FIFO`);
}
