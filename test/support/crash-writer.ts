/** Writes records and events without end, to be killed at any moment: see test/integration/store/crash.test.ts. */
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FileOperationJournal } from '../../src/adapters/journal/operation-journal.ts';
import { SqliteImageRepository } from '../../src/adapters/store/image-repository.ts';
import { SqliteNameReservations } from '../../src/adapters/store/name-reservations.ts';
import { openDatabase } from '../../src/adapters/store/open-database.ts';
import { imageRecord } from './records.ts';

process.stdout.write(`pid ${process.pid}\n`);
const dir = process.argv[2] ?? '.';
const database = openDatabase(join(dir, 'state.db'));
const images = new SqliteImageRepository(database);
const names = new SqliteNameReservations(database);
const journal = new FileOperationJournal(join(dir, 'operations'), (problem) => {
  throw problem;
});

for (let number = 1; ; number += 1) {
  const id = `img-${number}`;
  names.reserveImageName(`name-${number}`, id);
  images.insert(imageRecord({ id, name: `name-${number}` }));
  // Told only once it is committed: whoever reads this line may count on it.
  process.stdout.write(`${number}\n`);
  for (let line = 0; line < 50; line += 1) {
    const event = { type: 'log', at: new Date().toISOString(), stage: 'boot', line: 'x'.repeat(500) } as const;
    journal.append('op-1', { sequence: (number - 1) * 50 + line + 1, event });
  }
  await nextTurn();
}
