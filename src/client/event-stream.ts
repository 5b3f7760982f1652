import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { hasCode } from '../host/error-code.ts';
import { ClientError } from './client-error.ts';

interface EventStreamOptions<Event> {
  /** Opens the stream after the event with this id, or from the beginning. */
  readonly open: (after: string | undefined) => Promise<IncomingMessage>;
  readonly parse: (data: string) => Promise<Event>;
  /** True for the event after which the stream is over. */
  readonly isLast: (event: Event) => boolean;
  /** Called before the stream is opened again. */
  readonly reconnect?: () => Promise<void>;
  readonly signal?: AbortSignal;
  /** Waits between attempts, `ms`; as many attempts without a single event between them and we give up. */
  readonly retryDelaysMs?: readonly number[];
}

const RETRY_DELAYS_MS = [100, 250, 500, 1000, 2000, 4000];

/**
 * Server-sent events until the last one; a stream that breaks is resumed by `Last-Event-ID`, so that no event is lost
 * and none comes twice.
 *
 * @throws ClientError DAEMON_UNREACHABLE when it broke too often; the server's refusal at once; the abort's reason.
 */
export async function* resumeEvents<Event>(options: EventStreamOptions<Event>): AsyncGenerator<Event, void> {
  const delays = options.retryDelaysMs ?? RETRY_DELAYS_MS;
  let lastId: string | undefined;
  let failures = 0;
  for (;;) {
    try {
      if (failures > 0) await options.reconnect?.();
      const reply = await options.open(lastId);
      for await (const message of messages(reply)) {
        failures = 0;
        if (message.id !== undefined) lastId = message.id;
        const event = await options.parse(message.data);
        yield event;
        if (options.isLast(event)) return;
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!isBroken(error)) throw error;
    }
    const wait = delays[failures];
    failures += 1;
    if (wait === undefined) {
      throw new ClientError('DAEMON_UNREACHABLE', `The stream of events broke ${failures} times in a row`);
    }
    await delay(wait, undefined, options.signal ? { signal: options.signal } : {});
  }
}

function isBroken(error: unknown): boolean {
  if (error instanceof ClientError) return error.code === 'DAEMON_UNREACHABLE' || error.code === 'DAEMON_STOPPING';
  return hasCode(error, 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE');
}

async function* messages(reply: IncomingMessage): AsyncGenerator<EventSourceMessage, void> {
  const ready: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => void ready.push(message) });
  const decoder = new TextDecoder();
  for await (const chunk of reply) {
    parser.feed(decoder.decode(chunk as Buffer, { stream: true }));
    yield* ready.splice(0);
  }
}
