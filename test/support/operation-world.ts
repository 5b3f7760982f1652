/** An operation service with stores in memory and a clock that stands still until it is moved. */
import type { OperationEvent } from '../../src/contracts/event.ts';
import type { Operation } from '../../src/contracts/operation.ts';
import { EventBus } from '../../src/core/events/event-bus.ts';
import { OperationService } from '../../src/core/operations/operation-service.ts';
import { MemoryOperationJournal, MemoryOperationRepository } from '../fakes/operation-stores.ts';

const START = Date.parse('2026-01-01T00:00:00.000Z');

export function makeOperationWorld() {
  const clock = {
    nowMs: START,
    tick(durationMs: number): void {
      clock.nowMs += durationMs;
    },
  };
  const now = (): Date => new Date(clock.nowMs);
  const repository = new MemoryOperationRepository();
  const journal = new MemoryOperationJournal();
  const faults: unknown[] = [];
  const ends: { readonly operation: Operation; readonly error: unknown }[] = [];
  const restart = (): OperationService =>
    new OperationService({
      repository,
      journal,
      bus,
      now,
      onFault: (error) => faults.push(error),
      onEnd: (operation, error) => ends.push({ operation, error }),
    });
  const bus = new EventBus(now);
  return { clock, repository, journal, bus, faults, ends, restart, service: restart() };
}

/** Events as short words, for comparison: `stage boot running`, `log boot hello`, `end succeeded`. */
export function brief(event: OperationEvent): string {
  switch (event.type) {
    case 'stage':
      return `stage ${event.stage.name} ${event.stage.state}`;
    case 'log':
      return `log ${event.stage} ${event.line}`;
    case 'progress':
      return `progress ${event.stage} ${event.done}/${event.total}`;
    case 'end':
      return `end ${event.operation.state}`;
  }
}
