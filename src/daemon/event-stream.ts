/** Server-sent events (WHATWG HTML, 9.2): numbered, resumable, written no faster than the client reads. */
import type { SequencedEvent } from './route-handlers.ts';
import type { AppError } from '../core/app-error.ts';

export interface EventStreamOptions {
  /** Called once the client is gone or the stream is over; ends the iteration. */
  readonly onGone: () => void;
  /** Makes of an error of the iteration what the client is told. */
  readonly onError: (error: unknown) => AppError;
  /** A comment is sent after this long, so that both ends notice a dead connection. */
  readonly heartbeatMs: number;
}

/**
 * The reply that carries the events. One is taken from `events` when the client has read the one before, so a slow
 * client costs no memory. An error of the iteration ends the stream; a client that wants more comes back with
 * `Last-Event-ID`, and is then told what is wrong by an HTTP error where it still is.
 */
export function eventStreamResponse(
  events: AsyncIterable<SequencedEvent<unknown>>,
  options: EventStreamOptions,
): Response {
  const iterator = events[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let heartbeat: NodeJS.Timeout | undefined;
  const finish = (): void => {
    clearInterval(heartbeat);
    options.onGone();
  };
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      // At once, so that the client has the headers and knows that it is connected.
      controller.enqueue(encoder.encode(': connected\n\n'));
      heartbeat = setInterval(() => {
        // None for a client that does not read: they would pile up.
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(': alive\n\n'));
      }, options.heartbeatMs);
    },
    async pull(controller) {
      try {
        const next = await iterator.next();
        if (!next.done) return controller.enqueue(encoder.encode(frame(next.value)));
      } catch (error) {
        const told = options.onError(error);
        controller.enqueue(encoder.encode(`: ended by ${told.code}: ${told.message.replaceAll(/\s+/g, ' ')}\n\n`));
      }
      finish();
      controller.close();
    },
    async cancel() {
      finish();
      await iterator.return?.();
    },
  });
  return new Response(body, {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
  });
}

/** One event as it goes over the wire. JSON has no raw newline, so `data` is one line. */
function frame({ sequence, event }: SequencedEvent<unknown>): string {
  return `id: ${sequence}\nevent: ${eventType(event)}\ndata: ${JSON.stringify(event)}\n\n`;
}

/** The event's own `type`, or `change` for those that have none. */
function eventType(event: unknown): string {
  return typeof event === 'object' && event !== null && 'type' in event && typeof event.type === 'string'
    ? event.type
    : 'change';
}
