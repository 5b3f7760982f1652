import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { SqliteImageRepository } from '../../../src/adapters/store/image-repository.ts';
import { SqliteNameReservations } from '../../../src/adapters/store/name-reservations.ts';
import { openDatabase } from '../../../src/adapters/store/open-database.ts';
import { SqliteVmRepository } from '../../../src/adapters/store/vm-repository.ts';
import { imageRecord } from '../../support/records.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const SCRIPT = new URL('../../support/reserve-worker.ts', import.meta.url);

interface Work {
  readonly path: string;
  readonly what: 'vm' | 'image-name';
  readonly worker: number;
  readonly count: number;
  /** Workers wait at the gate until all are there. */
  readonly gate: Int32Array<SharedArrayBuffer>;
  readonly workers: number;
}

async function runWorkers(work: Omit<Work, 'worker' | 'gate' | 'workers'>, workers: number): Promise<string[][]> {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  return Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      const thread = new Worker(SCRIPT, { workerData: { ...work, worker, gate, workers } satisfies Work });
      const [results] = (await once(thread, 'message')) as [string[]];
      await once(thread, 'exit');
      return results;
    }),
  );
}

test('reservations of VMs from three connections at once all succeed, with addresses of their own', async () => {
  const path = join(await makeTempDir(), 'state.db');
  const database = openDatabase(path);
  onTestFinished(() => database.close());
  new SqliteImageRepository(database).insert(imageRecord());
  const results = await runWorkers({ path, what: 'vm', count: 20 }, 3);
  expect(results.flat().toSorted()).toEqual(Array.from({ length: 60 }, () => 'reserved'));
  const records = new SqliteVmRepository(database).list();
  expect(new Set(records.map(({ address }) => address)).size).toBe(60);
});

test('of reservations of the same names from three connections at once, one of each wins', async () => {
  const path = join(await makeTempDir(), 'state.db');
  const database = openDatabase(path);
  onTestFinished(() => database.close());
  const results = await runWorkers({ path, what: 'image-name', count: 20 }, 3);
  const outcomes = results.flat();
  expect(outcomes.filter((outcome) => outcome === 'reserved')).toHaveLength(20);
  expect(outcomes.filter((outcome) => outcome === 'NAME_TAKEN')).toHaveLength(40);
  expect(() => new SqliteNameReservations(database).reserveImageName('name-0', 'img-late')).toThrow(
    expect.objectContaining({ code: 'NAME_TAKEN' }),
  );
});
