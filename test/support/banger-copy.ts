/**
 * A copy of the CLI with its launcher in a folder of its own: tests run the real `bin/banger` there, with a daemon
 * program of their choice in the daemon's place, and nothing that changes in the checkout meanwhile changes the build.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { sourceTreeId } from '../../src/host/build-id.ts';

const CHECKOUT = join(import.meta.dirname, '..', '..');

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Its stdin has no end. */
  readonly keepsInputOpen?: boolean;
}

export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Settles when stderr holds the text; rejects when the program ends without it. */
  says(text: string): Promise<void>;
  /** The same for stdout. */
  prints(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

export interface BangerCopy extends AsyncDisposable {
  /** Holds `bin/banger`. */
  readonly root: string;
  /** BANGER_HOME of every run. */
  readonly home: string;
  readonly socketPath: string;
  readonly buildId: string;
  run(args: readonly string[], options?: RunOptions): Promise<Ended>;
  start(args: readonly string[], options?: RunOptions): Running;
}

/** @param daemonProgram text of `src/daemon/main.ts`; left out: a daemon that cannot start. */
export async function copyBanger(
  options: { readonly daemonProgram?: string; readonly home?: string } = {},
): Promise<BangerCopy> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'banger-copy-')));
  const root = join(dir, 'program');
  const home = options.home ?? join(dir, 'home');
  for (const part of [
    'bin/banger',
    'src/cli',
    'src/client',
    'src/contracts',
    'src/host',
    'package.json',
    'package-lock.json',
  ]) {
    await cp(join(CHECKOUT, part), join(root, part), { recursive: true });
  }
  await mkdir(join(root, 'guest'));
  await mkdir(join(root, 'src', 'daemon'));
  await writeFile(
    join(root, 'src', 'daemon', 'main.ts'),
    options.daemonProgram ?? `process.stderr.write('no daemon here\\n'); process.exit(3);\n`,
  );
  await symlink(join(CHECKOUT, 'node_modules'), join(root, 'node_modules'));
  await mkdir(home, { recursive: true, mode: 0o700 });
  const start = (args: readonly string[], run: RunOptions = {}): Running => launch(root, args, { ...run, home });
  return {
    root,
    home,
    socketPath: join(home, 'run', 'banger.sock'),
    buildId: sourceTreeId(root),
    start,
    run: (args, run) => start(args, run).ended,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

/** Starts `bin/banger` of a copy. */
export function launch(
  root: string,
  args: readonly string[],
  options: RunOptions & { readonly home: string },
): Running {
  const child = spawn(join(root, 'bin', 'banger'), args, {
    cwd: options.cwd ?? '/',
    env: { PATH: process.env['PATH'], HOME: options.home, LANG: 'C.UTF-8', BANGER_HOME: options.home, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout = listen(child.stdout);
  const stderr = listen(child.stderr);
  // A program that does not read its input is judged by what it says, not by EPIPE.
  child.stdin.on('error', () => undefined);
  if (!options.keepsInputOpen) child.stdin.end(options.input ?? '');
  const ended = once(child, 'close').then(([status]): Ended => {
    return { status: status as number | null, stdout: stdout.text(), stderr: stderr.text() };
  });
  return {
    pid: child.pid ?? 0,
    ended,
    kill: (signal) => void child.kill(signal),
    says: (wanted) => stderr.wait(wanted, ended),
    prints: (wanted) => stdout.wait(wanted, ended),
  };
}

function listen(stream: Readable): {
  readonly text: () => string;
  readonly wait: (wanted: string, ended: Promise<Ended>) => Promise<void>;
} {
  let heard = '';
  const listeners = new Set<() => void>();
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    heard += chunk;
    for (const listener of listeners) listener();
  });
  return {
    text: () => heard,
    wait: (wanted, ended) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (heard.includes(wanted)) resolve();
        };
        listeners.add(look);
        look();
        void ended.then((end) =>
          reject(new Error(`it ended without ${JSON.stringify(wanted)}: ${JSON.stringify(end)}`)),
        );
      }),
  };
}
