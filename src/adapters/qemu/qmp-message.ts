/** QEMU's control protocol, one JSON object a line (docs/interop/qmp-spec.rst). Pure; nothing QEMU sends is trusted. */

export type QmpFailure = 'connect' | 'closed' | 'timeout' | 'protocol' | 'refused';

/** The control connection failed; `failure` says how. */
export class QmpError extends Error {
  override readonly name = 'QmpError';
  readonly failure: QmpFailure;

  constructor(failure: QmpFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.failure = failure;
  }
}

export interface QmpEvent {
  /** `SHUTDOWN`, `POWERDOWN`, `GUEST_PANICKED`. */
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type QmpMessage =
  | { readonly kind: 'greeting' }
  | { readonly kind: 'event'; readonly event: QmpEvent }
  | { readonly kind: 'return'; readonly id: unknown; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: unknown; readonly description: string };

/** Far above anything QEMU sends for the commands we use. */
export const MAX_LINE_BYTES = 1024 * 1024;

/** Cuts a stream into lines, and refuses one that never ends. */
export class LineSplitter {
  #pending: Buffer[] = [];
  #pendingBytes = 0;

  /** @throws QmpError where a line is longer than `MAX_LINE_BYTES`. */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let rest = chunk;
    for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a)) {
      this.#keep(rest.subarray(0, end));
      lines.push(Buffer.concat(this.#pending).toString('utf8'));
      this.#pending = [];
      this.#pendingBytes = 0;
      rest = rest.subarray(end + 1);
    }
    this.#keep(rest);
    return lines;
  }

  #keep(part: Buffer): void {
    this.#pendingBytes += part.length;
    if (this.#pendingBytes > MAX_LINE_BYTES) {
      throw new QmpError('protocol', `QEMU sent a line of more than ${MAX_LINE_BYTES} bytes on its control socket.`);
    }
    this.#pending.push(part);
  }
}

/**
 * Unknown keys are ignored: versions add some.
 *
 * @throws QmpError where the line is not one of the protocol's messages.
 */
export function parseQmpMessage(line: string): QmpMessage {
  const message = parseObject(line);
  if ('QMP' in message) return { kind: 'greeting' };
  if (typeof message['event'] === 'string') {
    return { kind: 'event', event: { name: message['event'], data: asRecord(message['data']) } };
  }
  if ('return' in message) return { kind: 'return', id: message['id'], value: message['return'] };
  if ('error' in message) {
    const description = asRecord(message['error'])['desc'];
    return {
      kind: 'error',
      id: message['id'],
      description: typeof description === 'string' ? description : 'no reason',
    };
  }
  throw new QmpError('protocol', 'QEMU sent a message of no known kind on its control socket.');
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new QmpError('protocol', 'QEMU sent something on its control socket that is not JSON.', error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new QmpError('protocol', 'QEMU sent something on its control socket that is not an object.');
  }
  return value as Readonly<Record<string, unknown>>;
}

/** An object as a record; anything else as an empty one. */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
