/** What the guest agent takes of a guest: of its disk, of its processor to start, of its memory; beside a shell. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, realpath, rm, stat } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packageRoot } from '../../src/host/build-id.ts';
import { hasCode } from '../../src/host/error-code.ts';
import { agentFiles } from '../../src/host/paths.ts';
import type { Bench } from '../bench.ts';
import type { Figure, RunPlan, Series } from '../figure.ts';
import { residentMb } from '../resident-memory.ts';

const MINUTE_MS = 60_000;
const REQUESTS = 2_000;
const METHODS = ['health', 'stats', 'bootId'] as const;
const MAX_PROGRAM_MB = 1;
const MAX_START_MS = 5;
/** 1.5 MiB. */
const MAX_MEMORY_MB = (1.5 * 2 ** 20) / 1e6;
const LISTEN_POLL_MS = 5;

export const agent: Figure = {
  name: 'agent',
  runs: 10,
  budgetMs: 2 * MINUTE_MS,
  usualMs: MINUTE_MS / 6,
  needs: 'nothing',
  measure,
};

/** Of one process: processor time to begin with, `ms`, and resident memory later, 10^6 bytes. */
interface Footprint {
  readonly startMs: number;
  readonly memoryMb: number;
}

async function measure(bench: Bench, { runs, deadlineMs, signal }: RunPlan): Promise<readonly Series[]> {
  const { program } = agentFiles(packageRoot());
  const ours: Footprint[] = [];
  const theirs: Footprint[] = [];
  while (ours.length < runs && (ours.length === 0 || performance.now() < deadlineMs)) {
    theirs.push(await ofShell(signal));
    ours.push(await ofAgent(program, signal));
    const last = ours.at(-1);
    bench.say(`agent ${ours.length}/${runs}: ${last?.startMs.toFixed(1)} ms, ${last?.memoryMb.toFixed(2)} MB`);
  }
  const against = 'a shell that waits';
  const value = (atMost: number): Series['goal'] => ({ of: 'value', atMost });
  const shell = await realpath('/bin/sh');
  return [
    {
      title: 'agent, its program',
      unit: 'MB',
      goal: value(MAX_PROGRAM_MB),
      banger: [(await stat(program)).size / 1e6],
      byHand: [(await stat(shell)).size / 1e6],
      against,
    },
    {
      title: 'agent, processor to start',
      unit: 'ms',
      goal: value(MAX_START_MS),
      banger: ours.map(({ startMs }) => startMs),
      byHand: theirs.map(({ startMs }) => startMs),
      against,
    },
    {
      title: `agent, memory after ${REQUESTS} requests`,
      unit: 'MB',
      goal: value(MAX_MEMORY_MB),
      banger: ours.map(({ memoryMb }) => memoryMb),
      byHand: theirs.map(({ memoryMb }) => memoryMb),
      against,
    },
  ];
}

async function ofAgent(program: string, signal: AbortSignal): Promise<Footprint> {
  const dir = await mkdtemp(join(tmpdir(), 'banger-bench-agent-'));
  const path = join(dir, 'agent.sock');
  const child = spawn(program, ['--listen', `unix:${path}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    const socket = await connected(path, signal);
    await exchange(socket, { type: 'hello', session: '4f1c2a9be07d5836', oldest: 1, newest: 1 }, signal);
    const startMs = await processorMs(child);
    for (let id = 1; id <= REQUESTS; id += 1) {
      await exchange(socket, { type: 'request', id, method: METHODS[id % METHODS.length], params: {} }, signal);
    }
    const memoryMb = residentMb(await readFile(`/proc/${child.pid}/smaps_rollup`, 'utf8'));
    socket.destroy();
    return { startMs, memoryMb };
  } finally {
    await end(child);
    await rm(dir, { recursive: true, force: true });
  }
}

async function ofShell(signal: AbortSignal): Promise<Footprint> {
  const child = spawn('/bin/sh', ['-c', 'echo ready; read -r _'], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data', { signal });
    const startMs = await processorMs(child);
    return { startMs, memoryMb: residentMb(await readFile(`/proc/${child.pid}/smaps_rollup`, 'utf8')) };
  } finally {
    await end(child);
  }
}

async function connected(path: string, signal: AbortSignal): Promise<Socket> {
  for (;;) {
    const socket = connect(path);
    try {
      await once(socket, 'connect', { signal });
      return socket;
    } catch (error) {
      // It is not there yet.
      if (!hasCode(error, 'ENOENT')) throw error;
      await sleep(LISTEN_POLL_MS, undefined, { signal });
    }
  }
}

/** Says something and waits for the frame that answers it; events are none. */
async function exchange(socket: Socket, message: object, signal: AbortSignal): Promise<void> {
  let text = '';
  socket.write(`${JSON.stringify(message)}\n`);
  while (!/^\{"type":"(welcome|reply)".*\}$/m.test(text)) {
    const [chunk] = (await once(socket, 'data', { signal })) as [Buffer];
    text += chunk.toString('utf8');
  }
}

/** Processor time that a process has used (sched-stats of the kernel's documentation), `ms`. */
async function processorMs({ pid }: ChildProcess): Promise<number> {
  return Number((await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')[0]) / 1e6;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
