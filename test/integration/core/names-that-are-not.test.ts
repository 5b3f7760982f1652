/** A name that is mistyped, or that nothing has any more: what the services answer. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildRequestSchema } from '../../../src/contracts/build.ts';
import { createVmRequestSchema } from '../../../src/contracts/vm.ts';
import { FaultPoints } from '../../fakes/world/fault-points.ts';
import { makeWorld, sourceImage, type World } from '../../fakes/world/world.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

let world: World;

beforeEach(async () => {
  world = makeWorld(await makeTempDir(), new FaultPoints(), 'gone');
});
afterEach(() => world.close());

const create = (request: object): ReturnType<World['vms']['create']> =>
  world.vms.create(createVmRequestSchema.parse({ start: false, ...request }));

async function withVm(): Promise<void> {
  world.images.insert(sourceImage());
  const { id } = await create({ name: 'hello', image: 'debian' });
  expect(await world.operations.wait(id)).toMatchObject({ state: 'succeeded' });
}

test('a VM’s name that is mistyped: the nearest is named, whatever was asked', async () => {
  await withVm();
  const refusal = expect.objectContaining({
    code: 'VM_NOT_FOUND',
    message: 'There is no VM "helo".',
    hint: 'Did you mean "hello"? VMs there are: hello.',
  });
  await expect(world.vms.sshAccess('helo')).rejects.toEqual(refusal);
  await expect(world.vms.start('helo')).rejects.toEqual(refusal);
  for (const ask of ['get', 'reach', 'stop', 'delete'] as const) expect(() => world.vms[ask]('helo')).toThrow(refusal);
});

test('a VM that does not run', async () => {
  await withVm();
  await expect(world.vms.sshAccess('hello')).rejects.toMatchObject({
    code: 'VM_STATE_INVALID',
    message: 'VM "hello" is not running: it is stopped.',
    hint: 'Start it: banger vm start hello',
  });
});

test('an image’s name that is mistyped: the nearest is named, for a VM and for a build', async () => {
  world.images.insert(sourceImage());
  const refusal = {
    code: 'IMAGE_NOT_FOUND',
    message: 'There is no image "debain".',
    hint: 'Did you mean "debian"? Images there are: debian.',
  };
  await expect(create({ image: 'debain' })).rejects.toMatchObject(refusal);
  await expect(world.builds.start('dev', buildRequestSchema.parse({ from: 'debain' }))).rejects.toMatchObject(refusal);
});

test('an image that nobody typed: the config is named', async () => {
  world.images.insert(sourceImage());
  await expect(create({ name: 'box' })).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
    message: 'There is no image "gone", which default_image_name in the config names.',
    hint: 'Images there are: debian.',
  });
});

test('where there is nothing at all: how to make the first', async () => {
  await expect(create({ image: 'debian' })).rejects.toMatchObject({ hint: expect.stringContaining('image bootstrap') });
  expect(() => world.vms.get('hello')).toThrow(expect.objectContaining({ hint: 'Create one: banger vm create' }));
});
