import { once } from 'node:events';
import { Duplex, duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { joinStreams } from '../../../src/host/join-streams.ts';

/** Two ends and a join between them: what is written into one comes out of the other. */
function makeJoin() {
  const [client, left] = duplexPair();
  const [guest, right] = duplexPair();
  joinStreams(left, right);
  return { client, left, guest, right };
}

describe('two joined streams', () => {
  test('carry both ways, and one may end before the other', async () => {
    const { client, guest, left, right } = makeJoin();
    client.end('question');
    expect(await text(guest)).toBe('question');
    expect(left.writableEnded).toBe(false);
    guest.end('answer');
    expect(await text(client)).toBe('answer');
    expect(right.readableEnded && left.readableEnded).toBe(true);
  });

  test.each(['left', 'right'] as const)('where the %s one breaks, the other is closed', async (broken) => {
    const sides = makeJoin();
    const other = broken === 'left' ? sides.right : sides.left;
    const closed = once(other, 'close');
    sides[broken].destroy(new Error('ECONNRESET'));
    await closed;
    expect(other.destroyed).toBe(true);
  });

  test('where one is closed without a word, the other is closed', async () => {
    const { left, right } = makeJoin();
    const closed = once(right, 'close');
    left.destroy();
    await closed;
  });

  test('a side that closes after the whole conversation does not cut off what the other still writes', async () => {
    const [guest, left] = duplexPair();
    let letWrite: (() => void) | undefined;
    let written = '';
    const slow = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        letWrite = () => {
          written += chunk.toString();
          done();
        };
      },
    });
    joinStreams(left, slow);
    guest.end('last words');
    slow.push(null);
    guest.resume();
    await once(left, 'close');
    expect(slow.destroyed).toBe(false);
    letWrite?.();
    await once(slow, 'finish');
    expect(written).toBe('last words');
  });
});
