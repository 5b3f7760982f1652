import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FileOperationJournal } from '../../../src/adapters/journal/operation-journal.ts';
import { SqliteImageRepository } from '../../../src/adapters/store/image-repository.ts';
import { openDatabase } from '../../../src/adapters/store/open-database.ts';
import { ProcessError, run } from '../../../src/host/process.ts';
import { collect } from '../../support/collect.ts';
import { imageRecord } from '../../support/records.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const WRITER = fileURLToPath(new URL('../../support/crash-writer.ts', import.meta.url));

/** Runs the writer until it has told of `count` records, and kills it in the middle of the next. */
async function crashAfter(dir: string, count: number): Promise<number> {
  let told = 0;
  let pid = 0;
  await run([process.execPath, WRITER, dir], {
    timeoutMs: 30_000,
    onLine: (line, stream) => {
      if (stream !== 'stdout') return;
      if (line.startsWith('pid ')) pid = Number(line.slice(4));
      else told = Number(line);
      if (told === count && pid > 0) {
        process.kill(pid, 'SIGKILL');
        pid = 0;
      }
    },
  }).catch((error: unknown) => {
    if (!(error instanceof ProcessError && error.failure === 'signal')) throw error;
  });
  return told;
}

test.each([1, 7, 40])(
  'killed after %i records: all of them are there, whole; the journal reads up to a cut',
  async (count) => {
    const dir = await makeTempDir();
    const told = await crashAfter(dir, count);
    expect(told).toBeGreaterThanOrEqual(count);
    using database = openDatabase(join(dir, 'state.db'));
    const images = new SqliteImageRepository(database);
    const found = images.list().length;
    // What was committed in the instant before the kill may not have been told.
    expect(found).toBeGreaterThanOrEqual(told);
    expect(found).toBeLessThanOrEqual(told + 1);
    images.insert(imageRecord({ id: 'img-after', name: 'after' }));

    const faults: unknown[] = [];
    const journal = new FileOperationJournal(join(dir, 'operations'), (problem) => faults.push(problem));
    const entries = await collect(journal.read('op-1', 0));
    expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1));
    const next = entries.length + 1;
    journal.append('op-1', { sequence: next, event: { type: 'log', at: '', stage: 'boot', line: 'after' } });
    await journal.close('op-1');
    expect(await collect(journal.read('op-1', next - 1))).toHaveLength(1);
    expect(faults).toEqual([]);
  },
);
