/** A command in a VM on our own stdin, stdout and stderr. */
import { constants } from 'node:os';
import type { ExecEnd, ExecRequest, ExecSignal } from '../contracts/exec-stream.ts';
import { ExecLostError, type RunningExec, startExec } from '../client/exec.ts';
import type { Cli } from './cli.ts';
import { Interrupted } from './interrupt.ts';

/** As ssh(1) has it for a connection that broke: no status of the command's own. */
const LOST_STATUS = 255;
/** Signals that are passed on; the next one ends us, and the command with us. */
const PATIENCE = 3;
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export interface ExecOptions {
  /** Gives the command our stdin. */
  readonly input: boolean;
  /** Gives the command a terminal, of our own terminal's size where we have one. */
  readonly terminal: boolean;
  readonly stdout?: 'stdout' | 'stderr';
}

/**
 * Runs a command in a VM.
 *
 * @returns its exit status; 128 + the signal's number where one ended it, as a shell has it; 255 where nobody knows.
 * @throws ClientError where it could not be begun.
 */
export async function runInVm(
  cli: Cli,
  vmName: string,
  { request, ...options }: ExecOptions & { readonly request: Omit<ExecRequest, 'terminal'> },
): Promise<number> {
  const output = options.stdout === 'stderr' ? process.stderr : process.stdout;
  const terminal = options.terminal ? { type: cli.terminalType, ...terminalSize() } : undefined;
  using raw = options.terminal && options.input ? rawTerminal() : noTerminal;
  const running = await startExec(cli.session, {
    vmName,
    request: { ...request, terminal },
    input: options.input ? raw.input() : undefined,
    onStdout: (data) => written(output, data),
    onStderr: (data) => written(process.stderr, data),
  });
  using listening = new DisposableStack();
  listening.use(passOnSignals(running));
  if (options.terminal) listening.use(passOnSize(running));
  try {
    return statusOf(await running.ended);
  } catch (error) {
    if (!(error instanceof ExecLostError)) throw error;
    raw[Symbol.dispose]();
    const { reportError } = await import('./error-report.ts');
    await reportError(cli.output, error);
    return LOST_STATUS;
  }
}

function statusOf({ exitStatus, signal }: ExecEnd): number {
  if (exitStatus !== undefined) return exitStatus;
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return 128 + (numbers[`SIG${signal}`] ?? 0);
}

/** Settles when the stream has taken the bytes. */
function written(stream: NodeJS.WriteStream, data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** Zeros where we have no terminal: the guest's own idea then. */
function terminalSize(): { readonly columns: number; readonly rows: number } {
  return { columns: process.stdout.columns ?? 0, rows: process.stdout.rows ?? 0 };
}

function passOnSize(running: RunningExec): Disposable {
  const onResize = (): void => running.resize(terminalSize());
  process.stdout.on('resize', onResize);
  // It may have changed while the command was begun.
  onResize();
  return { [Symbol.dispose]: () => void process.stdout.off('resize', onResize) };
}

function passOnSignals(running: RunningExec): Disposable {
  let taken = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    taken += 1;
    const isInterrupt = signal === 'SIGINT' || signal === 'SIGTERM' || signal === 'SIGHUP';
    if (taken > PATIENCE && isInterrupt) process.exit(new Interrupted(signal).exitStatus);
    running.signal(signal.slice('SIG'.length) as ExecSignal);
  };
  for (const signal of PASSED_ON) process.on(signal, onSignal);
  return {
    [Symbol.dispose]() {
      for (const signal of PASSED_ON) process.off(signal, onSignal);
    },
  };
}

interface InputSource extends Disposable {
  input(): AsyncIterable<Uint8Array>;
}

const noTerminal: InputSource = {
  input: () => process.stdin as AsyncIterable<Buffer>,
  [Symbol.dispose]() {},
};

/** Keys go to the guest as they are, Ctrl-C among them, until it is disposed of. */
function rawTerminal(): InputSource {
  const { stdin } = process;
  const isTerminal = stdin.isTTY;
  if (isTerminal) stdin.setRawMode(true);
  // Whatever ends us, the user's terminal is as it was.
  const restore = (): void => {
    if (isTerminal) stdin.setRawMode(false);
  };
  process.once('exit', restore);
  return {
    input: () => stdin as AsyncIterable<Buffer>,
    [Symbol.dispose]() {
      process.off('exit', restore);
      restore();
      stdin.pause();
    },
  };
}
