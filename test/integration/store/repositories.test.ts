import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Database } from '../../../src/adapters/store/database.ts';
import { SqliteImageRepository } from '../../../src/adapters/store/image-repository.ts';
import { SqliteNameReservations } from '../../../src/adapters/store/name-reservations.ts';
import { openDatabase } from '../../../src/adapters/store/open-database.ts';
import { SqliteOperationRepository } from '../../../src/adapters/store/operation-repository.ts';
import { SqlitePeerRepository } from '../../../src/adapters/store/peer-repository.ts';
import { SqliteVmRepository } from '../../../src/adapters/store/vm-repository.ts';
import type { AppError } from '../../../src/core/app-error.ts';
import { imageRecord, operationRecord, vmRecord } from '../../support/records.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

async function makeStore() {
  const path = join(await makeTempDir(), 'state.db');
  const open = (): Database => {
    const database = openDatabase(path);
    onTestFinished(() => database.close());
    return database;
  };
  return { open, ...repositories(open()) };
}

function repositories(database: Database) {
  const damaged: AppError[] = [];
  return {
    database,
    damaged,
    peers: new SqlitePeerRepository(database),
    images: new SqliteImageRepository(database),
    vms: new SqliteVmRepository(database),
    names: new SqliteNameReservations(database),
    operations: new SqliteOperationRepository(database, (problem) => damaged.push(problem)),
  };
}

describe('images', () => {
  test('come back as they were put in, by name and in order', async () => {
    const { images } = await makeStore();
    const dev = imageRecord({
      id: 'img-0000000002',
      name: 'dev',
      packageCount: 12,
      boot: { kernelPath: '/k', initrdPath: '/i' },
    });
    images.insert(dev);
    images.insert(imageRecord());
    expect(images.list()).toEqual([imageRecord(), dev]);
    expect(images.findByName('dev')).toEqual(dev);
    expect(images.findByName('none')).toBeUndefined();
  });

  test('a name is given once', async () => {
    const { images } = await makeStore();
    images.insert(imageRecord());
    const second = imageRecord({ id: 'img-0000000002' });
    expect(() => images.insert(second)).toThrow(expect.objectContaining({ code: 'NAME_TAKEN' }));
    expect(images.list()).toEqual([imageRecord()]);
  });

  test('are replaced by update, which refuses one that is gone', async () => {
    const { images } = await makeStore();
    images.insert(imageRecord({ managed: false }));
    images.update(imageRecord({ managed: true, rootfsPath: '/new' }));
    expect(images.findByName('base')).toMatchObject({ managed: true, rootfsPath: '/new' });
    images.delete('img-0000000001');
    images.delete('img-0000000001');
    expect(() => images.update(imageRecord())).toThrow(expect.objectContaining({ code: 'IMAGE_NOT_FOUND' }));
  });

  test('one that VMs use cannot be deleted, and its users are named', async () => {
    const { images, vms } = await makeStore();
    images.insert(imageRecord());
    vms.reserve(() => vmRecord());
    expect(() => images.delete('img-0000000001')).toThrow(
      expect.objectContaining({ code: 'IMAGE_IN_USE', details: { vms: ['calm-otter'] } }),
    );
    vms.delete('vm-0000000001');
    images.delete('img-0000000001');
    expect(images.list()).toEqual([]);
  });

  test.each([
    ['no JSON', '{"id":'],
    ['no image', '{"id":"img-0000000001"}'],
  ])('a damaged record (%s) is never taken for an image that is gone', async (_, record) => {
    const { images, database } = await makeStore();
    images.insert(imageRecord());
    images.insert(imageRecord({ id: 'img-0000000002', name: 'dev' }));
    database.run('UPDATE images SET record = :record WHERE name = :name', { record, name: 'base' });
    const damage = expect.objectContaining({
      code: 'STORE_FAILED',
      message: expect.stringContaining('image img-0000000001 is damaged'),
    });
    expect(() => images.list()).toThrow(damage);
    expect(() => images.findByName('base')).toThrow(damage);
    expect(images.findByName('dev')).toMatchObject({ name: 'dev' });
  });
});

describe('names of images being made', () => {
  test('a reserved name is nobody else’s: not for a reservation, not for an image', async () => {
    const { names, images } = await makeStore();
    names.reserveImageName('dev', 'img-1');
    const taken = expect.objectContaining({ code: 'NAME_TAKEN', details: { name: 'dev' } });
    expect(() => names.reserveImageName('dev', 'img-2')).toThrow(taken);
    expect(() => images.insert(imageRecord({ name: 'dev', id: 'img-2' }))).toThrow(taken);
  });

  test('the image that it was for uses it up', async () => {
    const { names, images, database } = await makeStore();
    names.reserveImageName('dev', 'img-1');
    images.insert(imageRecord({ name: 'dev', id: 'img-1' }));
    expect(database.all('SELECT * FROM image_name_reservations')).toEqual([]);
    expect(() => names.reserveImageName('dev', 'img-2')).toThrow(expect.objectContaining({ code: 'NAME_TAKEN' }));
  });

  test('are given back by release and by clearAll', async () => {
    const { names } = await makeStore();
    names.reserveImageName('dev', 'img-1');
    names.reserveImageName('other', 'img-2');
    names.release('img-1');
    names.release('img-1');
    names.reserveImageName('dev', 'img-3');
    expect(() => names.reserveImageName('other', 'img-4')).toThrow(expect.objectContaining({ code: 'NAME_TAKEN' }));
    names.clearAll();
    names.reserveImageName('other', 'img-4');
  });
});

describe('VMs', () => {
  test('come back as they were put in', async () => {
    const { images, vms } = await makeStore();
    images.insert(imageRecord());
    const other = vmRecord({
      id: 'vm-0000000002',
      name: 'bold-fox',
      address: '10.77.0.3',
      macAddress: '02:62:0a:4d:00:03',
      tapName: 'bngr-0000000002',
      initrdPath: '/i',
      egress: 'allow:192.0.2.0/24,example.org',
      ephemeral: true,
      leased: true,
      workspace: { guestPath: '/root/project', base: 'ab'.repeat(20) },
      transient: true,
      phase: 'ready',
    });
    expect(vms.reserve(() => vmRecord())).toEqual(vmRecord());
    vms.reserve(({ names, addresses }) => {
      expect([...names]).toEqual(['calm-otter']);
      expect([...addresses]).toEqual(['10.77.0.2']);
      return other;
    });
    expect(vms.list()).toEqual([other, vmRecord()]);
    expect(vms.find('vm-0000000002')).toEqual(other);
    expect(vms.findByName('calm-otter')).toEqual(vmRecord());
    expect(vms.usingImage('img-0000000001')).toHaveLength(2);
    expect(vms.usingImage('img-other')).toEqual([]);
  });

  test('are changed by update, which refuses one that is gone', async () => {
    const { images, vms } = await makeStore();
    images.insert(imageRecord());
    vms.reserve(() => vmRecord());
    vms.update(vmRecord({ phase: 'ready', cpus: 4 }));
    expect(vms.find('vm-0000000001')).toEqual(vmRecord({ phase: 'ready', cpus: 4 }));
    vms.delete('vm-0000000001');
    expect(() => vms.update(vmRecord())).toThrow(expect.objectContaining({ code: 'VM_NOT_FOUND' }));
  });

  test('are peers both ways, by whatever name they have, until it is taken back or one of them is gone', async () => {
    const { images, vms, peers } = await makeStore();
    images.insert(imageRecord());
    for (const digit of [1, 2, 3]) {
      vms.reserve(() =>
        vmRecord({
          id: `vm-000000000${digit}`,
          name: `vm-${digit}`,
          address: `10.77.0.${digit}`,
          macAddress: `02:62:0a:4d:00:0${digit}`,
          tapName: `bngr-000000000${digit}`,
        }),
      );
    }
    expect([...peers.names()]).toEqual([]);
    peers.set('vm-0000000002', ['vm-0000000003', 'vm-0000000001', 'vm-0000000001']);
    expect(Object.fromEntries(peers.names())).toEqual({
      'vm-0000000001': ['vm-2'],
      'vm-0000000002': ['vm-1', 'vm-3'],
      'vm-0000000003': ['vm-2'],
    });
    expect(peers.addresses().toSorted()).toEqual([
      ['10.77.0.1', '10.77.0.2'],
      ['10.77.0.2', '10.77.0.3'],
    ]);
    vms.rename('vm-0000000002', 'other');
    peers.set('vm-0000000003', []);
    expect(Object.fromEntries(peers.names())).toEqual({ 'vm-0000000001': ['other'], 'vm-0000000002': ['vm-1'] });
    vms.delete('vm-0000000001');
    expect([...peers.names()]).toEqual([]);
    expect(peers.addresses()).toEqual([]);
    expect(() => peers.set('vm-0000000002', ['vm-0000000001'])).toThrow(
      expect.objectContaining({ code: 'STORE_FAILED' }),
    );
  });

  const other = { id: 'vm-2', name: 'other', address: '10.77.0.9', macAddress: '02:62:0a:4d:00:09', tapName: 'bngr-2' };
  test.each([
    [{ name: 'calm-otter' }, 'NAME_TAKEN'],
    [{ address: '10.77.0.2' }, 'STORE_FAILED'],
    [{ macAddress: '02:62:0a:4d:00:02' }, 'STORE_FAILED'],
    [{ tapName: 'bngr-0000000001' }, 'STORE_FAILED'],
    [{ imageId: 'img-gone' }, 'IMAGE_NOT_FOUND'],
  ])('a second VM with %j is refused with %s and leaves nothing', async (clash, code) => {
    const { images, vms } = await makeStore();
    images.insert(imageRecord());
    vms.reserve(() => vmRecord());
    expect(() => vms.reserve(() => vmRecord({ ...other, ...clash }))).toThrow(expect.objectContaining({ code }));
    expect(vms.list()).toEqual([vmRecord()]);
    vms.reserve(() => vmRecord(other));
  });

  test('a choice that throws reserves nothing and leaves no transaction open', async () => {
    const { images, vms, open } = await makeStore();
    images.insert(imageRecord());
    const choose = (): never => {
      throw new Error('no address is free');
    };
    expect(() => vms.reserve(choose)).toThrow('no address is free');
    repositories(open()).vms.reserve(() => vmRecord());
  });

  test('a damaged record is never taken for a VM that is gone', async () => {
    const { images, vms, database } = await makeStore();
    images.insert(imageRecord());
    vms.reserve(() => vmRecord());
    database.run("UPDATE vms SET engine = 'hal9000'");
    expect(() => vms.list()).toThrow(
      expect.objectContaining({
        code: 'STORE_FAILED',
        message: expect.stringContaining('VM vm-0000000001 is damaged'),
      }),
    );
  });
});

describe('operations', () => {
  test('newest first, bounded, changed by update', async () => {
    const { operations } = await makeStore();
    const made = ['op-a', 'op-b', 'op-c'].map((id) => operationRecord({ id }));
    for (const operation of made) operations.insert(operation);
    const ended = operationRecord({ id: 'op-b', state: 'succeeded', result: { name: 'dev' } });
    operations.update(ended);
    expect(operations.list(2).map(({ id }) => id)).toEqual(['op-c', 'op-b']);
    expect(operations.find('op-b')).toEqual(ended);
    expect(operations.find('op-x')).toBeUndefined();
    expect(operations.listRunning().map(({ id }) => id)).toEqual(['op-a', 'op-c']);
    expect(() => operations.update(operationRecord({ id: 'op-x' }))).toThrow(
      expect.objectContaining({ code: 'OPERATION_NOT_FOUND' }),
    );
  });

  test('those beyond the newest can be forgotten, but none that runs', async () => {
    const { operations } = await makeStore();
    for (const id of ['op-a', 'op-b', 'op-c', 'op-d']) {
      operations.insert(operationRecord({ id, state: id === 'op-a' ? 'running' : 'failed' }));
    }
    expect(operations.listIdsBeyond(1)).toEqual(['op-b', 'op-c']);
    operations.delete('op-b');
    expect(operations.list(10).map(({ id }) => id)).toEqual(['op-d', 'op-c', 'op-a']);
  });

  test('a damaged one hides no other: it is left out of lists, and told', async () => {
    const { operations, database, damaged } = await makeStore();
    operations.insert(operationRecord({ id: 'op-a' }));
    operations.insert(operationRecord({ id: 'op-b' }));
    database.run("UPDATE operations SET record = '[]' WHERE id = 'op-a'");
    expect(operations.list(10).map(({ id }) => id)).toEqual(['op-b']);
    expect(damaged).toEqual([
      expect.objectContaining({ code: 'STORE_FAILED', message: expect.stringContaining('op-a') }),
    ]);
    expect(() => operations.find('op-a')).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }));
  });
});
