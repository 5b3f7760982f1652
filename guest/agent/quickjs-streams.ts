/** Streams of bytes on QuickJS: open files that never block. */
import * as native from 'qjs:native';
import * as os from 'qjs:os';
import { type Port, type Stream, SysError } from './sys.ts';

const EAGAIN = 11;
const EINTR = 4;
/** The host's address on vsock (vsock(7)). Whoever else connects is a program in the guest, which has no say here. */
const VMADDR_CID_HOST = 2;

function streamOf(fd: number): Stream {
  return {
    read(into) {
      const count = os.read(fd, into.buffer, into.byteOffset, into.byteLength);
      return count > 0 ? count : count === -EAGAIN || count === -EINTR ? 0 : 'away';
    },
    write(bytes) {
      const count = os.write(fd, bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return count >= 0 ? count : count === -EAGAIN || count === -EINTR ? 0 : 'away';
    },
    onReadable: (callback) => os.setReadHandler(fd, callback ?? null),
    onWritable: (callback) => os.setWriteHandler(fd, callback ?? null),
    close() {
      os.setReadHandler(fd, null);
      os.setWriteHandler(fd, null);
      os.close(fd);
    },
  };
}

export function portOf(fd: number): Port {
  const watch = check(native.watchEdges(fd), 'epoll');
  const stream = streamOf(fd);
  return {
    ...stream,
    onChange(callback) {
      const handler = (): void => {
        native.takeEdges(watch);
        callback?.();
      };
      os.setReadHandler(watch, callback ? handler : null);
    },
    close() {
      os.setReadHandler(watch, null);
      os.close(watch);
      stream.close();
    },
  };
}

/** Serves a listening socket; on vsock the host alone. */
export function acceptFrom(listener: number, onConnection: (stream: Stream) => void): void {
  os.setReadHandler(listener, () => {
    const [fd, cid] = native.accept(listener);
    if (fd < 0) return;
    if (cid === -1 || cid === VMADDR_CID_HOST) onConnection(streamOf(fd));
    else os.close(fd);
  });
}

/** @throws SysError where `value` is -errno. */
export function check(value: number, what: string): number {
  if (value < 0) throw new SysError(`${what} failed with errno ${-value}`);
  return value;
}
