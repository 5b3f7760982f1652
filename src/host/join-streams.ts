import type { Duplex } from 'node:stream';

/** Pipes both ways. One side may end before the other; where one breaks, the other is ended too. */
export function joinStreams(left: Duplex, right: Duplex): void {
  left.pipe(right);
  right.pipe(left);
  breakTogether(left, right);
  breakTogether(right, left);
}

function breakTogether(stream: Duplex, other: Duplex): void {
  stream.on('error', () => other.destroy());
  stream.once('close', () => {
    // After a whole conversation the other side may still be writing out its last bytes: it closes by itself.
    if (!stream.readableEnded || !stream.writableFinished) other.destroy();
  });
}
