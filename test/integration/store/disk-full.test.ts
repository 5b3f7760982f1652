/** A store on a small disk of its own that becomes full: what has to be recorded then is recorded. */
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, type TestContext } from 'vitest';
import { SqliteImageRepository } from '../../../src/adapters/store/image-repository.ts';
import { SqliteNameReservations } from '../../../src/adapters/store/name-reservations.ts';
import { openDatabase } from '../../../src/adapters/store/open-database.ts';
import { SqliteOperationRepository } from '../../../src/adapters/store/operation-repository.ts';
import { SqliteVmRepository } from '../../../src/adapters/store/vm-repository.ts';
import { run } from '../../../src/host/process.ts';
import { imageRecord, operationRecord, vmRecord } from '../../support/records.ts';

async function smallDisk(context: TestContext): Promise<string> {
  if (process.getuid?.() !== 0) context.skip('only root can mount a filesystem');
  const dir = await mkdtemp(join(tmpdir(), 'banger-full-'));
  const disk = join(dir, 'disk');
  const mountPoint = join(dir, 'm');
  onTestFinished(async () => {
    await run(['umount', mountPoint], { okStatuses: [0, 32] });
    await rm(dir, { recursive: true, force: true });
  });
  await writeFile(disk, '');
  await truncate(disk, 16 * 2 ** 20);
  await run(['mkfs.ext4', '-q', '-F', '-m', '0', disk]);
  await mkdir(mountPoint);
  await run(['mount', '-o', 'loop', disk, mountPoint]);
  return mountPoint;
}

test('with no byte left, what is under way can be ended, and what was taken be given back', async (context) => {
  const dir = await smallDisk(context);
  using database = openDatabase(join(dir, 'state.db'));
  const operations = new SqliteOperationRepository(database, (problem) => expect.fail(problem.message));
  const images = new SqliteImageRepository(database);
  const vms = new SqliteVmRepository(database);
  const names = new SqliteNameReservations(database);
  images.insert(imageRecord());
  const ids = Array.from({ length: 20 }, (_, index) => String(index).padStart(10, '0'));
  for (const [index, id] of ids.entries()) {
    operations.insert(operationRecord({ id: `op-${id}` }));
    names.reserveImageName(`image-${id}`, `img-${id}`);
    const unique = { name: `vm-${id}`, address: `10.77.1.${index}`, macAddress: `02:62:0a:4d:01:${10 + index}` };
    vms.reserve(() => vmRecord({ id: `vm-${id}`, tapName: `bngr-${id}`, ...unique }));
  }
  for (const blockSize of ['64k', '4k', '512']) {
    const argv = ['dd', 'if=/dev/zero', `of=${join(dir, `filler-${blockSize}`)}`, `bs=${blockSize}`] as const;
    await run(argv, { okStatuses: [1] });
  }

  // Ends say more than beginnings: each takes pages that it did not have before.
  const stages = Array.from({ length: 20 }, (_, index) => ({ name: `step:${index}`, state: 'succeeded' as const }));
  for (const id of ids) {
    operations.update(operationRecord({ id: `op-${id}`, state: 'failed', stages }));
    names.release(`img-${id}`);
    vms.delete(`vm-${id}`);
  }
  expect(operations.listRunning()).toEqual([]);
  expect(vms.list()).toEqual([]);
  expect(database.all('SELECT * FROM image_name_reservations')).toEqual([]);
});
