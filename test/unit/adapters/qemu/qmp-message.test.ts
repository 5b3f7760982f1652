import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LineSplitter, MAX_LINE_BYTES, parseQmpMessage, QmpError } from '../../../../src/adapters/qemu/qmp-message.ts';

describe('LineSplitter', () => {
  test('gives the same lines however the stream is cut', () => {
    const noNewline = fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ''));
    fc.assert(
      fc.property(fc.array(noNewline), fc.array(fc.nat(40)), (lines, cuts) => {
        const stream = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const splitter = new LineSplitter();
        const found: string[] = [];
        let start = 0;
        for (const cut of [...cuts, stream.length]) {
          found.push(...splitter.push(stream.subarray(start, start + cut)));
          start += cut;
        }
        expect(found).toEqual(lines);
      }),
    );
  });

  test('takes a line at the bound and refuses one beyond it', () => {
    expect(new LineSplitter().push(Buffer.from(`${'a'.repeat(MAX_LINE_BYTES)}\n`))).toHaveLength(1);
    expect(() => new LineSplitter().push(Buffer.alloc(MAX_LINE_BYTES + 1, 0x61))).toThrow(QmpError);
  });

  test('the bound holds for a line that comes in pieces', () => {
    const splitter = new LineSplitter();
    const piece = Buffer.alloc(MAX_LINE_BYTES / 2, 0x61);
    expect(splitter.push(piece)).toEqual([]);
    expect(splitter.push(piece)).toEqual([]);
    expect(() => splitter.push(Buffer.from('a'))).toThrow(/more than 1048576 bytes/);
  });
});

describe('parseQmpMessage', () => {
  test.each([
    ['{"QMP": {"version": {}, "capabilities": ["oob"]}}', { kind: 'greeting' }],
    ['{"return": {}, "id": 3}', { kind: 'return', id: 3, value: {} }],
    ['{"return": [1]}', { kind: 'return', id: undefined, value: [1] }],
    ['{"id": 4, "error": {"class": "GenericError", "desc": "no"}}', { kind: 'error', id: 4, description: 'no' }],
    ['{"error": null}', { kind: 'error', id: undefined, description: 'no reason' }],
    [
      '{"timestamp": {}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}, "new": 1}',
      { kind: 'event', event: { name: 'SHUTDOWN', data: { guest: true, reason: 'guest-reset' } } },
    ],
    ['{"event": "RESUME"}', { kind: 'event', event: { name: 'RESUME', data: {} } }],
  ])('%s', (line, message) => {
    expect(parseQmpMessage(line)).toEqual(message);
  });

  test.each(['', 'nonsense', '[]', 'null', '7', '{}', '{"event": 7}'])('refuses %j', (line) => {
    expect(() => parseQmpMessage(line)).toThrow(expect.objectContaining({ name: 'QmpError', failure: 'protocol' }));
  });
});
