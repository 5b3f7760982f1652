/**
 * `await-port.ts ADDRESS PORT PID`: ends with 0 as soon as somebody answers at that port, with 1 where that process has
 * ended first. It looks every 20 ms and costs next to nothing: the guest needs the processors itself.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../src/host/error-code.ts';

const PAUSE_MS = 20;
/** A guest that is not so far drops what it gets: a new attempt beats TCP's own repeats. */
const ATTEMPT_MS = 300;

const [host = '', port = '', pid = ''] = process.argv.slice(2);
while (!(await answers())) {
  if (!lives(Number(pid))) process.exit(1);
  await sleep(PAUSE_MS);
}

async function answers(): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port: Number(port), timeout: ATTEMPT_MS });
  socket.once('connect', () => resolve(true));
  socket.once('timeout', () => resolve(false));
  socket.once('error', () => resolve(false));
  const answered = await promise;
  socket.destroy();
  return answered;
}

function lives(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch (error) {
    if (hasCode(error, 'ESRCH')) return false;
    throw error;
  }
}
