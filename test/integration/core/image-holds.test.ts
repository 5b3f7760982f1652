/** An image that is being copied is kept from deletion until the last who copies it has let go. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeWorld, sourceImage, type World } from '../../fakes/world/world.ts';

let dir: string;
let world: World;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'banger-test-'));
  world = makeWorld(dir);
  world.images.insert(sourceImage());
});

afterEach(() => {
  world.close();
  rmSync(dir, { recursive: true, force: true });
});

const inUse = expect.objectContaining({ code: 'IMAGE_IN_USE', details: { users: ['build of dev'] } });

test('two that are called the same hold it each for itself, and are named once', async () => {
  const first = await world.images.hold('debian', 'build of dev');
  const second = await world.images.hold('debian', 'build of dev');
  expect(() => world.images.delete('debian')).toThrow(inUse);
  first.release();
  expect(() => world.images.delete('debian')).toThrow(inUse);
  second.release();
  expect((await world.operations.wait(world.images.delete('debian').id)).state).toBe('succeeded');
});

test('letting go a second time lets nobody else’s hold go', async () => {
  const first = await world.images.hold('debian', 'build of dev');
  first.release();
  const second = await world.images.hold('debian', 'build of dev');
  first.release();
  expect(() => world.images.delete('debian')).toThrow(inUse);
  second.release();
  expect((await world.operations.wait(world.images.delete('debian').id)).state).toBe('succeeded');
});

test('a promotion that cannot begin holds nothing', async () => {
  world.images.insert({ ...sourceImage('mine'), id: 'img-0000000002', managed: false });
  await world.operations.shutdown(AbortSignal.timeout(1_000));
  await expect(world.images.promote('mine')).rejects.toMatchObject({ code: 'DAEMON_STOPPING' });
  expect(() => world.images.delete('mine')).toThrow(expect.objectContaining({ code: 'DAEMON_STOPPING' }));
});
