import { openDatabase } from '../src/adapters/store/open-database.ts';
import { SqliteImageRepository } from '../src/adapters/store/image-repository.ts';
import { SqliteVmRepository } from '../src/adapters/store/vm-repository.ts';
import type { Image } from '../src/contracts/image.ts';
import { macAddressOf, tapNameOf } from '../src/core/networks/address-plan.ts';
import type { Undo } from '../src/core/undo.ts';
import { type Banger, OWN_PREFIX } from './banger.ts';

const NOWHERE = '/nonexistent';
const CREATED_AT = '2026-01-01T00:00:00.000Z';
const IMAGE: Image = {
  id: 'img-bbbbbbbbbb',
  name: `${OWN_PREFIX}image`,
  managed: false,
  rootfsPath: NOWHERE,
  boot: { kernelPath: NOWHERE },
  sizeBytes: 2 ** 31,
  digest: `sha256:${'0'.repeat(64)}`,
  createdAt: CREATED_AT,
  provenance: { method: 'register', bangerVersion: '0.1.0', parameters: {}, steps: [] },
};

/** Puts VMs that never ran into the store, as if somebody had created them; the daemon is stopped for it. */
export async function storeVms(banger: Banger, count: number, undo: Undo, signal: AbortSignal): Promise<void> {
  await banger.run(['daemon', 'stop'], signal);
  const ids = Array.from({ length: count }, (_, index) => `vm-bb${index.toString(16).padStart(8, '0')}`);
  {
    using database = openDatabase(banger.paths.database);
    new SqliteImageRepository(database).insert(IMAGE);
    const vms = new SqliteVmRepository(database);
    database.transaction(() => {
      for (const [index, id] of ids.entries()) vms.reserve(() => storedVm(id, index));
    });
  }
  undo.add('the stored VMs', async () => {
    await banger.run(['daemon', 'stop']);
    {
      using database = openDatabase(banger.paths.database);
      const vms = new SqliteVmRepository(database);
      database.transaction(() => {
        for (const id of ids) vms.delete(id);
      });
      new SqliteImageRepository(database).delete(IMAGE.id);
    }
    // As it was before.
    await banger.run(['daemon', 'start']);
  });
}

function storedVm(id: string, index: number): ReturnType<Parameters<SqliteVmRepository['reserve']>[0]> {
  const address = `10.77.${Math.floor(index / 250) + 4}.${(index % 250) + 1}`;
  return {
    id,
    name: `${OWN_PREFIX}${index}`,
    imageId: IMAGE.id,
    imageName: IMAGE.name,
    cpus: 1,
    memoryBytes: 2 ** 30,
    diskBytes: 2 ** 31,
    egress: 'none',
    address,
    macAddress: macAddressOf(address),
    tapName: tapNameOf(id),
    hostPublicKey: 'ssh-ed25519 AAAA',
    kernelPath: NOWHERE,
    initrdPath: undefined,
    ephemeral: false,
    leased: false,
    workspace: undefined,
    hasAgent: true,
    transient: false,
    createdAt: CREATED_AT,
    phase: 'ready',
    engine: 'qemu',
    origins: { cpus: 'host', memory: 'host', disk: 'image' },
  };
}
