import type { AgentEvent } from '../../src/contracts/agent-messages.ts';
import { MAX_FRAME_BYTES } from '../../src/contracts/agent.ts';
import { Conversation, type OpenRequests } from './conversation.ts';
import { LineSplitter } from './line-splitter.ts';
import type { Guest } from './methods.ts';
import { Outbox } from './outbox.ts';
import type { Stream } from './sys.ts';

/** What a host may leave unread: four of the longest frames. */
const MAX_QUEUED_BYTES = 4 * MAX_FRAME_BYTES;
/** Read at once: requests are small, and others want to be heard too. */
const READ_BYTES = 4096;
/** How long a host may take to read the reply before the guest powers off. */
const FLUSH_DEADLINE_MS = 1_000;

export interface ConnectionOptions {
  readonly guest: Guest;
  readonly version: string;
  readonly openRequests: OpenRequests;
}

/** Joins a stream to a conversation: cuts it into frames, queues what goes out, sees the other end go. */
export class Connection {
  readonly #stream: Stream;
  readonly #outbox: Outbox;
  readonly #conversation: Conversation;
  readonly #splitter = new LineSplitter(MAX_FRAME_BYTES);
  readonly #chunk = new Uint8Array(READ_BYTES);
  readonly #onAway: () => void;

  /** @param onAway is called when the other end has gone; nothing is read from then on, until `listen`. */
  constructor(stream: Stream, options: ConnectionOptions, onAway: () => void) {
    const { sys } = options.guest;
    this.#stream = stream;
    this.#onAway = onAway;
    this.#outbox = new Outbox(stream, MAX_QUEUED_BYTES);
    this.#conversation = new Conversation({
      ...options,
      send: (frame) => this.#send(frame),
      afterSending: (callback) => {
        const cancel = sys.after(FLUSH_DEADLINE_MS, () => this.#outbox.clear());
        this.#outbox.whenEmpty(() => {
          cancel();
          callback();
        });
      },
    });
  }

  /** Reads what comes from now on. */
  listen(): void {
    this.#stream.onReadable(() => this.#read());
  }

  /** Says that we are there, to a host that may have spoken with the agent before us. */
  hail(): void {
    this.#conversation.hail();
  }

  tell(event: AgentEvent): void {
    this.#conversation.tell(event);
  }

  #read(): void {
    const count = this.#stream.read(this.#chunk);
    if (count === 'away') this.#away();
    else this.#splitter.push(this.#chunk.subarray(0, count), (line) => this.#conversation.receive(line));
  }

  #send(frame: Uint8Array): void {
    if (this.#outbox.push(frame)) return;
    // Nobody reads. A host that is still there says hello again.
    this.#conversation.end();
    this.#outbox.clear();
  }

  #away(): void {
    this.#stream.onReadable(undefined);
    this.#conversation.end();
    this.#outbox.clear();
    this.#splitter.reset();
    this.#onAway();
  }
}
