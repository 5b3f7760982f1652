import { MAX_FRAME_BYTES } from '../../contracts/agent.ts';

const NEWLINE = 0x0a;
/** Room that is taken for the first part of a line whose end has not come. */
const FIRST_ROOM_BYTES = 1024;
const NOTHING = Buffer.alloc(0);

/** A part of the stream; every byte that came belongs to exactly one, but those of a line that has no end yet. */
export type FramePiece =
  | {
      readonly kind: 'line';
      /** Without its newline; empty where nothing stood before it. */
      readonly bytes: Buffer;
      readonly sizeBytes: number;
    }
  /** A line that is too long to be a frame, piece by piece up to its newline; none of it is kept. */
  | { readonly kind: 'overlong'; readonly sizeBytes: number };

/** Cuts a guest's stream into lines. Holds one line of `MAX_FRAME_BYTES` at most; copies a byte a few times at most. */
export class FrameSplitter {
  #held = NOTHING;
  #heldBytes = 0;
  #isSkipping = false;

  /** Lazy: the pieces must all be taken before the next chunk is pushed. */
  *push(chunk: Buffer): Generator<FramePiece, void, undefined> {
    let start = 0;
    while (start < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, start);
      const hasEnd = newline !== -1;
      const part = chunk.subarray(start, hasEnd ? newline : chunk.length);
      start += part.length + (hasEnd ? 1 : 0);
      const sizeBytes = this.#heldBytes + part.length + (hasEnd ? 1 : 0);
      if (this.#isSkipping || this.#heldBytes + part.length >= MAX_FRAME_BYTES) {
        this.#forget();
        this.#isSkipping = !hasEnd;
        yield { kind: 'overlong', sizeBytes };
      } else if (hasEnd) {
        yield { kind: 'line', bytes: this.#complete(part), sizeBytes };
      } else {
        this.#hold(part);
      }
    }
  }

  #complete(part: Buffer): Buffer {
    if (this.#heldBytes === 0) return part;
    this.#hold(part);
    const line = this.#held.subarray(0, this.#heldBytes);
    this.#forget();
    return line;
  }

  /** Copies: a part that was only referred to would keep its whole chunk alive. */
  #hold(part: Buffer): void {
    const neededBytes = this.#heldBytes + part.length;
    if (neededBytes > this.#held.length) {
      // Twice as much each time, so that a line that comes byte by byte costs no more than one that comes at once.
      const roomier = Buffer.allocUnsafe(Math.min(MAX_FRAME_BYTES, Math.max(FIRST_ROOM_BYTES, 2 * neededBytes)));
      this.#held.copy(roomier, 0, 0, this.#heldBytes);
      this.#held = roomier;
    }
    part.copy(this.#held, this.#heldBytes);
    this.#heldBytes = neededBytes;
  }

  #forget(): void {
    this.#held = NOTHING;
    this.#heldBytes = 0;
  }
}
