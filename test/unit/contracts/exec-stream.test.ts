import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BadFrameError,
  encodeMessage,
  encodeReply,
  EXEC_SIGNALS,
  type ExecMessage,
  ExecMessageReader,
  type ExecReply,
  ExecReplyReader,
  type ExecSignal,
} from '../../../src/contracts/exec-stream.ts';

const data = fc.uint8Array({ maxLength: 300 });
const size = fc.record({ columns: fc.nat(65_535), rows: fc.nat(65_535) });
const signal = fc.constantFrom(...(Object.keys(EXEC_SIGNALS) as ExecSignal[]));

const message: fc.Arbitrary<ExecMessage> = fc.oneof(
  fc.record({ kind: fc.constant('start'), request: fc.jsonValue() }),
  fc.record({ kind: fc.constant('stdin'), data }),
  fc.record({ kind: fc.constant('stdinEnd') }),
  fc.record({ kind: fc.constant('size'), size }),
  fc.record({ kind: fc.constant('signal'), signal }),
);

const reply: fc.Arbitrary<ExecReply> = fc.oneof(
  fc.record({ kind: fc.constantFrom('stdout' as const, 'stderr' as const), data }),
  fc.record({ kind: fc.constant('room'), bytes: fc.nat(2 ** 32 - 1) }),
  fc.record({ kind: fc.constant('exit'), end: fc.record({ exitStatus: fc.nat(255) }) }),
);

/** Cuts bytes at the given places, counted from each piece's beginning. */
function pieces(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const cut: Uint8Array[] = [];
  let at = 0;
  for (const length of lengths) {
    cut.push(bytes.subarray(at, at + length));
    at += length;
  }
  return [...cut, bytes.subarray(at)];
}

type WithData = { readonly kind: string; readonly data?: Uint8Array };

/** Neighbours of one kind of data as one; those without any data are nothing. */
function joined(messages: readonly WithData[]): unknown[] {
  const result: unknown[] = [];
  let open: { kind: string; data: number[] } | undefined;
  for (const item of messages) {
    if (item.data === undefined) {
      open = undefined;
      result.push(item);
    } else if (item.data.length > 0) {
      if (open?.kind !== item.kind) result.push((open = { kind: item.kind, data: [] }));
      open.data.push(...item.data);
    }
  }
  return result;
}

describe('messages cut anywhere', () => {
  const splits = fc.array(fc.nat(40), { maxLength: 60 });

  test('of a client', () => {
    fc.assert(
      fc.property(fc.array(message), splits, (messages, lengths) => {
        const reader = new ExecMessageReader();
        const bytes = Buffer.concat(messages.map((item) => encodeMessage(item)));
        const read = pieces(bytes, lengths).flatMap((piece) => [...reader.push(piece)]);
        // JSON knows no -0.
        const expected = messages.map((item) => (item.kind === 'start' ? reparsed(item) : item));
        expect(joined(read as WithData[])).toEqual(joined(expected as WithData[]));
      }),
    );
  });

  test('of the daemon', () => {
    fc.assert(
      fc.property(fc.array(reply), splits, (replies, lengths) => {
        const reader = new ExecReplyReader();
        const bytes = Buffer.concat(replies.map((item) => encodeReply(item)));
        const read = pieces(bytes, lengths).flatMap((piece) => [...reader.push(piece)]);
        expect(joined(read as WithData[])).toEqual(joined(replies as WithData[]));
      }),
    );
  });
});

function reparsed(item: ExecMessage): unknown {
  return JSON.parse(JSON.stringify(item));
}

describe('what is no message', () => {
  const frame = (kind: number, length: number, ...payload: number[]): Uint8Array => {
    const bytes = Buffer.alloc(5 + payload.length);
    bytes.writeUInt8(kind);
    bytes.writeUInt32BE(length, 1);
    bytes.set(payload, 5);
    return bytes;
  };

  test.each([
    ['an unknown kind', frame(99, 0)],
    ['a kind of the other direction', frame(16, 0)],
    ['a request that is no JSON', frame(0, 1, 0x7b)],
    ['a size that is too short', frame(3, 2, 0, 80)],
    ['a signal that nobody knows', frame(4, 4, ...Buffer.from('STOP'))],
    ['a signal that every object has', frame(4, 8, ...Buffer.from('toString'))],
    ['a request that is longer than allowed, before a byte of it has come', frame(0, 512 * 1024 + 1)],
    ['data that is longer than allowed', frame(1, 4 * 2 ** 20 + 1)],
  ])('%s', (_what, bytes) => {
    expect(() => [...new ExecMessageReader().push(bytes)]).toThrow(BadFrameError);
  });

  test('data is handed on before its frame is whole, and copied nowhere', () => {
    const chunk = frame(1, 1000, 1, 2, 3);
    const [first] = new ExecMessageReader().push(chunk);
    expect(first).toEqual({ kind: 'stdin', data: Buffer.from([1, 2, 3]) });
    expect(first?.kind === 'stdin' && first.data.buffer === chunk.buffer).toBe(true);
  });
});
