/** A VM of banger's that has been started once, and a place where its like is started by hand. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Image } from '../src/contracts/image.ts';
import { type SshAccess, sshAccessSchema, type Vm, vmSchema } from '../src/contracts/vm.ts';
import { type AddressPlan, planAddresses } from '../src/core/networks/address-plan.ts';
import type { Undo } from '../src/core/undo.ts';
import { type Banger, BASE_IMAGE, OWN_PREFIX } from './banger.ts';
import { makeNamespace, type HandNetwork } from './by-hand/namespace.ts';

/** The part of the config that tells what the guests' network is. */
const networkSchema = z.object({ network: z.object({ cidr: z.string() }) });

export interface Guest {
  readonly image: Image;
  /** As it was while it ran; it is stopped now. */
  readonly vm: Vm;
  readonly access: SshAccess;
  readonly addresses: AddressPlan;
  readonly network: HandNetwork;
}

/** The first start finds out what this machine can do, and every later one knows; so it counts for nothing. */
export async function prepareGuest(
  banger: Banger,
  undo: Undo,
  { image, signal }: { readonly image: Image; readonly signal: AbortSignal },
): Promise<Guest> {
  const name = `${OWN_PREFIX}vm`;
  await banger.run(['vm', 'create', '--name', name, '--image', BASE_IMAGE], signal);
  const vm = await banger.ask(vmSchema, ['vm', 'show', name], signal);
  const access = await banger.ask(sshAccessSchema, ['vm', 'ssh', name], signal);
  await banger.run(['vm', 'stop', name], signal);
  const { network: configured } = await banger.ask(networkSchema, ['config', 'show'], signal);
  const addresses = planAddresses(configured.cidr);
  const network = await makeNamespace(undo, `${addresses.gateway}/${addresses.prefixLength}`, vm);
  return { image, vm, access, addresses, network };
}

/** A folder on the filesystem that holds the images: a clone must not cross from one to another. */
export async function makeWorkDir(banger: Banger, undo: Undo): Promise<string> {
  const dir = await mkdtemp(join(banger.paths.stateDir, 'bench-'));
  undo.add(`folder ${dir}`, () => rm(dir, { recursive: true, force: true }));
  return dir;
}
