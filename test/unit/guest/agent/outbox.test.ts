import { describe, expect, test } from 'vitest';
import { Outbox } from '../../../../guest/agent/outbox.ts';
import { FakeStream } from '../../../fakes/agent/fake-stream.ts';

const MAX = 20;

function outbox(room = Number.POSITIVE_INFINITY): { readonly stream: FakeStream; readonly box: Outbox } {
  const stream = new FakeStream();
  stream.room = room;
  return { stream, box: new Outbox(stream, MAX) };
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('Outbox', () => {
  test('writes at once what the stream takes, and asks for no more', () => {
    const { stream, box } = outbox();
    expect(box.push(bytes('one'))).toBe(true);
    expect(box.push(bytes('two'))).toBe(true);
    expect(stream.taken()).toBe('onetwo');
    expect(stream.waitsForRoom).toBe(false);
  });

  test('a write that is taken in part goes on where it stopped, in order', () => {
    const { stream, box } = outbox(2);
    box.push(bytes('abcde'));
    box.push(bytes('fgh'));
    expect(stream.taken()).toBe('ab');
    expect(stream.waitsForRoom).toBe(true);
    stream.makeRoom(4);
    expect(stream.taken()).toBe('cdef');
    stream.makeRoom(10);
    expect(stream.taken()).toBe('gh');
    expect(stream.waitsForRoom).toBe(false);
  });

  test('what does not fit is refused; what was queued is sent all the same', () => {
    const { stream, box } = outbox(0);
    expect(box.push(bytes('x'.repeat(MAX)))).toBe(true);
    expect(box.push(bytes('y'))).toBe(false);
    stream.makeRoom(100);
    expect(stream.taken()).toBe('x'.repeat(MAX));
    expect(box.push(bytes('y'))).toBe(true);
  });

  test('a stream that nobody reads any more takes everything away with it', () => {
    const { stream, box } = outbox(0);
    box.push(bytes('lost'));
    stream.away = true;
    stream.makeRoom(100);
    expect(stream.waitsForRoom).toBe(false);
    stream.away = false;
    box.push(bytes('next'));
    expect(stream.taken()).toBe('next');
  });

  test('tells when it is empty: at once, after the last byte, after it was cleared', () => {
    const { stream, box } = outbox();
    const told: string[] = [];
    box.whenEmpty(() => told.push('at once'));
    stream.room = 1;
    box.push(bytes('abc'));
    box.whenEmpty(() => told.push('sent'));
    expect(told).toEqual(['at once']);
    stream.makeRoom(2);
    expect(told).toEqual(['at once', 'sent']);
    box.push(bytes('abc'));
    box.whenEmpty(() => told.push('cleared'));
    box.clear();
    expect(told).toEqual(['at once', 'sent', 'cleared']);
    expect(stream.waitsForRoom).toBe(false);
  });
});
