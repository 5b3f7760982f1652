import { describe, expect, test } from 'vitest';
import { type PendingRequest, RequestTable } from '../../../../src/adapters/agent/request-table.ts';
import { MAX_OPEN_REQUESTS } from '../../../../src/contracts/agent.ts';

function pending(onReject: (reason: unknown) => void = () => undefined): PendingRequest {
  return { method: 'health', params: {}, resolve: () => undefined, reject: onReject };
}

/** A table in which as many are open as may be; the numbers they have. */
function fullTable(): { table: RequestTable; requests: PendingRequest[]; ids: number[] } {
  const table = new RequestTable();
  const requests = Array.from({ length: MAX_OPEN_REQUESTS }, () => pending());
  const ids = requests.map((request) => {
    expect(table.add(request)).toBe(true);
    return table.next()?.id ?? 0;
  });
  return { table, requests, ids };
}

test('requests go out in order, each with a number of its own', () => {
  const table = new RequestTable();
  const requests = [pending(), pending(), pending()];
  for (const request of requests) table.add(request);
  expect([table.next(), table.next(), table.next(), table.next()]).toEqual([
    { id: 1, request: requests[0] },
    { id: 2, request: requests[1] },
    { id: 3, request: requests[2] },
    undefined,
  ]);
});

test('no more are open than the agent takes; an answer makes room for the next', () => {
  const { table, requests, ids } = fullTable();
  const waiting = pending();
  table.add(waiting);
  expect(table.next()).toBeUndefined();
  expect(table.answered(ids[7])).toBe(requests[7]);
  expect(table.next()).toMatchObject({ request: waiting });
  expect(table.next()).toBeUndefined();
});

test('the queue has an end', () => {
  const { table } = fullTable();
  const added = Array.from({ length: 300 }, () => table.add(pending()));
  expect(added.filter(Boolean)).toHaveLength(256);
});

test('what nobody waits for any more keeps its number until it is answered', () => {
  const { table, requests, ids } = fullTable();
  expect(table.giveUp(requests[0] ?? pending())).toBe(false);
  table.add(pending());
  expect(table.next()).toBeUndefined();
  expect(table.answered(ids[0])).toBe('late');
  expect(table.answered(ids[0])).toBeUndefined();
  expect(table.next()).toMatchObject({ id: MAX_OPEN_REQUESTS + 1 });
});

test('one that has not gone out leaves nothing behind', () => {
  const table = new RequestTable();
  const request = pending();
  table.add(request);
  expect(table.giveUp(request)).toBe(false);
  expect(table.next()).toBeUndefined();
});

test('it is told when nothing that is open is waited for any more', () => {
  const { table, requests } = fullTable();
  const told = requests.map((request) => table.giveUp(request));
  expect(told).toEqual([...Array.from({ length: MAX_OPEN_REQUESTS - 1 }, () => false), true]);
});

test('giving up what was answered in the same moment changes nothing', () => {
  const { table, requests, ids } = fullTable();
  for (const [index, id] of ids.entries()) {
    const request = requests[index] ?? pending();
    expect(table.answered(id)).toBe(request);
    expect(table.giveUp(request)).toBe(false);
  }
});

describe('numbers', () => {
  test('begin anew after the last one, and pass over those that are open', () => {
    const table = new RequestTable(0xffff_fffe);
    const take = (): number | undefined => {
      table.add(pending());
      return table.next()?.id;
    };
    expect([take(), take(), take()]).toEqual([0xffff_ffff, 1, 2]);
    const again = new RequestTable();
    again.add(pending());
    again.next();
    expect(again.answered(1)).toBeDefined();
  });

  test.each([0, -1, 1.5, '1', null, undefined, {}, [1], Number.NaN, 2])('%j is none that was asked for', (id) => {
    const table = new RequestTable();
    table.add(pending());
    table.next();
    expect(table.answered(id)).toBeUndefined();
  });
});

test('the end of the session reaches those that are open and those that wait, and nobody twice', () => {
  const { table } = fullTable();
  const told: unknown[] = [];
  const waiting = pending((reason) => told.push(reason));
  table.add(waiting);
  table.rejectAll('over');
  table.rejectAll('again');
  expect(told).toEqual(['over']);
  expect(table.next()).toBeUndefined();
});
