/** Other programs, on QuickJS: by argv, never by a shell, never waited for in a way that keeps others waiting. */
import * as native from 'qjs:native';
import * as os from 'qjs:os';
import { check } from './quickjs-streams.ts';
import type { RunResult } from './sys.ts';

const SIGKILL = 9;
const POLL_MS = 5;
/** Kept of what a program says on stderr. */
const MAX_STDERR_BYTES = 2048;
const READ_BYTES = 512;
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/** @throws SysError */
export async function runProgram(
  argv: readonly string[],
  { input, deadlineMs }: { readonly input: string; readonly deadlineMs: number },
): Promise<RunResult> {
  const fds: number[] = [];
  const take = (pair: [number, number] | null): [number, number] => {
    check(pair ? 0 : -1, 'pipe');
    fds.push(...(pair ?? []));
    return pair ?? [-1, -1];
  };
  const closeEnd = (fd: number): void => {
    fds.splice(fds.indexOf(fd), 1);
    os.close(fd);
  };
  try {
    const [stdin, inputEnd] = take(os.pipe());
    const [wordsEnd, stderr] = take(os.pipe());
    const nothing = check(os.open('/dev/null', os.O_WRONLY), '/dev/null');
    fds.push(nothing);
    // Far less than a pipe holds, so nobody is waited for.
    const bytes = native.encode(input);
    os.write(inputEnd, bytes, 0, bytes.byteLength);
    const pid = check(os.exec(argv, { block: false, stdin, stdout: nothing, stderr, env: ENVIRONMENT }), 'fork');
    closeEnd(inputEnd);
    closeEnd(stderr);
    const words = collect(wordsEnd);
    const exitStatus = await ended(pid, deadlineMs);
    return { exitStatus, stderr: words() };
  } finally {
    for (const fd of fds) {
      os.setReadHandler(fd, null);
      os.close(fd);
    }
  }
}

/** Waits for a child. @returns its exit status; -N where signal N ended it. */
export async function ended(pid: number, deadlineMs?: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedMs = native.bootTimeMs();
    let killed = false;
    const look = (): void => {
      const [found, status] = os.waitpid(pid, os.WNOHANG);
      if (found === pid) return resolve((status & 0x7f) === 0 ? status >> 8 : -(status & 0x7f));
      if (found < 0) return reject(new Error(`waitpid failed with errno ${-found}`));
      if (!killed && deadlineMs !== undefined && native.bootTimeMs() - startedMs > deadlineMs) {
        killed = true;
        os.kill(pid, SIGKILL);
      }
      os.setTimeout(look, POLL_MS);
    };
    look();
  });
}

/** Keeps the first words of a pipe, reads and drops the rest. */
function collect(fd: number): () => string {
  const kept = new Uint8Array(MAX_STDERR_BYTES);
  const chunk = new Uint8Array(READ_BYTES);
  let length = 0;
  os.setReadHandler(fd, () => {
    const count = os.read(fd, chunk.buffer, 0, READ_BYTES);
    if (count <= 0) return os.setReadHandler(fd, null);
    const room = chunk.subarray(0, Math.min(count, kept.length - length));
    kept.set(room, length);
    length += room.length;
  });
  return () => native.decode(kept.buffer, 0, length);
}
