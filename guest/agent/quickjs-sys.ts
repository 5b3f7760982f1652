/** The machine as the agent sees it: Linux, by QuickJS's modules and ours. */
import * as native from 'qjs:native';
import * as os from 'qjs:os';
import * as std from 'qjs:std';
import { ended, runProgram } from './quickjs-run.ts';
import { acceptFrom, check, portOf } from './quickjs-streams.ts';
import { type Sys, SysError } from './sys.ts';

const ENOENT = 2;
/** Numbers of the kernel that QuickJS does not name. */
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const MAX_TEXT_BYTES = 64 * 1024;
const MAX_NAMES = 1024;
const FILE_MODE = 0o644;

export function createQuickjsSys(): Sys {
  // Whoever is written to and has gone is noticed by the write itself.
  os.signal(os.SIGPIPE, undefined);
  return {
    bootTimeMs: native.bootTimeMs,
    cpuTimeMs: native.cpuTimeMs,
    after(delayMs, callback) {
      const timer = os.setTimeout(callback, delayMs);
      return () => os.clearTimeout(timer);
    },
    log(line) {
      std.err.puts(`banger-agent: ${line}\n`);
      std.err.flush();
    },
    collectGarbage: std.gc,
    readText: (path, maxBytes = MAX_TEXT_BYTES) => native.readText(path, maxBytes) ?? undefined,
    listDir: (path, maxNames = MAX_NAMES) => native.listDir(path, maxNames),
    readLink(path) {
      const [target, error] = os.readlink(path);
      return error === 0 ? target : undefined;
    },
    replaceFile,
    statFs(path) {
      const sizes = native.statFs(path);
      return sizes ? { totalBytes: sizes[0], availableBytes: sizes[1] } : undefined;
    },
    encode: (text) => new Uint8Array(native.encode(text)),
    decode: (bytes) => native.decode(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    setClock(epochMs) {
      check(native.setClock(epochMs), 'setting the clock');
    },
    setHostname(name) {
      check(native.setHostname(name), 'setting the host name');
    },
    async sync() {
      await ended(check(native.startSync(), 'fork'));
    },
    powerOff() {
      check(native.powerOff(), 'powering off');
    },
    restart() {
      check(native.restart(), 'resetting');
    },
    run: runProgram,
    openPort(path) {
      const fd = os.open(path, os.O_RDWR | O_NONBLOCK | O_CLOEXEC);
      return fd === -ENOENT ? undefined : portOf(check(fd, 'opening'));
    },
    listenVsock: (port, onConnection) => acceptFrom(check(native.listenVsock(port), 'listening'), onConnection),
    listenUnix(path, onConnection) {
      // It appears once it can be connected to.
      const beside = `${path}.new`;
      const listener = check(native.listenUnix(beside), `listening at ${beside}`);
      check(os.rename(beside, path), `renaming ${beside}`);
      acceptFrom(listener, onConnection);
    },
  };
}

/** Written beside it and renamed: nobody sees half of it, and a link in its place is replaced. */
function replaceFile(path: string, text: string): void {
  const beside = `${path}.banger-new`;
  const fd = check(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | O_CLOEXEC, FILE_MODE), `writing ${beside}`);
  const bytes = native.encode(text);
  const written = os.write(fd, bytes, 0, bytes.byteLength);
  os.close(fd);
  if (written === bytes.byteLength && os.rename(beside, path) === 0) return;
  os.remove(beside);
  throw new SysError(`writing ${path} failed`);
}
