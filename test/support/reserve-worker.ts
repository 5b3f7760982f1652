/** One of several connections that reserve at the same time: see test/integration/store/two-connections.test.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { SqliteNameReservations } from '../../src/adapters/store/name-reservations.ts';
import { openDatabase } from '../../src/adapters/store/open-database.ts';
import { SqliteVmRepository } from '../../src/adapters/store/vm-repository.ts';
import { AppError } from '../../src/core/app-error.ts';
import { vmRecord } from './records.ts';

const { path, what, worker, count, gate, workers } = workerData as {
  path: string;
  what: 'vm' | 'image-name';
  worker: number;
  count: number;
  gate: Int32Array<SharedArrayBuffer>;
  workers: number;
};

using database = openDatabase(path);
const vms = new SqliteVmRepository(database);
const names = new SqliteNameReservations(database);

function reserveVm(index: number): void {
  vms.reserve(({ addresses }) => {
    // The lowest that is free: without a lock around it, two connections choose the same.
    let host = 2;
    while (addresses.has(`10.77.0.${host}`)) host += 1;
    const id = `vm-${worker}-${index}`;
    return vmRecord({ id, name: id, address: `10.77.0.${host}`, macAddress: `mac-${host}`, tapName: `tap-${id}` });
  });
}

function attempt(work: () => void): string {
  try {
    work();
    return 'reserved';
  } catch (error) {
    return error instanceof AppError ? error.code : String(error);
  }
}

Atomics.add(gate, 0, 1);
Atomics.notify(gate, 0);
for (let ready = Atomics.load(gate, 0); ready < workers; ready = Atomics.load(gate, 0)) Atomics.wait(gate, 0, ready);

const results = Array.from({ length: count }, (_, index) =>
  attempt(() => {
    if (what === 'vm') reserveVm(index);
    else names.reserveImageName(`name-${index}`, `img-${worker}`);
  }),
);
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port has no origin
parentPort?.postMessage(results);
