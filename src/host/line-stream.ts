import type { Readable } from 'node:stream';

const NEWLINE = 0x0a;

/**
 * A stream's lines as they come, without their newlines; a last one without a newline is dropped, since its sender was
 * cut off.
 *
 * @throws Error where a line is longer than `maxBytes`; the stream's own error. The stream is destroyed then.
 */
export async function* linesOf(stream: Readable, maxBytes: number): AsyncGenerator<string, void> {
  let pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...pieces, chunk.subarray(from, end)]).toString('utf8');
      pieces = [];
      sizeBytes = 0;
      from = end + 1;
    }
    pieces.push(chunk.subarray(from));
    sizeBytes += chunk.length - from;
    if (sizeBytes > maxBytes) throw new Error(`a line is longer than ${maxBytes} bytes`);
  }
}
