import type { Operation } from '../../contracts/operation.ts';
import type { OperationEvent } from '../../contracts/event.ts';
import type { NumberedFeed } from '../events/numbered-feed.ts';
import type { NumberedEvent, OperationJournal } from './ports.ts';

interface FollowedOperation {
  readonly id: string;
  /** Number of the last event that the listener knows. */
  readonly after: number;
  /** What is held in memory while it runs; undefined once it has ended. */
  readonly feed: NumberedFeed<OperationEvent> | undefined;
  readonly journal: OperationJournal;
  readonly find: () => Operation;
}

/**
 * The events of an operation: from memory where it holds them, else from the journal. Both begin where the listener
 * is, so there is no gap and no duplicate, and however slow it is, nothing waits for it or piles up.
 */
export async function* followOperation(
  { id, after, feed, journal, find }: FollowedOperation,
  signal: AbortSignal,
): AsyncGenerator<NumberedEvent, void, undefined> {
  let last = after;
  while (!signal.aborted) {
    const held = feed?.after(last)?.map(({ sequence, value }) => ({ sequence, event: value }));
    const before = last;
    for await (const entry of held ?? journal.read(id, last)) {
      if (signal.aborted) return;
      yield entry;
      last = entry.sequence;
      if (entry.event.type === 'end') return;
    }
    if (!feed || (feed.closed && last >= feed.lastSequence)) return yield knownEnd(find(), last);
    // A journal that was taken away has nothing to give: go on with what is held; the gap shows in the numbers.
    if (held === undefined && last === before) last = (feed.held()[0]?.sequence ?? last + 1) - 1;
    await feed.changed(last, signal);
  }
}

/** For a listener that comes back after the end, or where the journal was lost: the record tells how it ended. */
function knownEnd(operation: Operation, last: number): NumberedEvent {
  return { sequence: last + 1, event: { type: 'end', at: operation.endedAt ?? operation.createdAt, operation } };
}
