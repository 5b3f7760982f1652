/** A network namespace with one TAP, made by hand: what a VM without banger needs. */
import { randomBytes } from 'node:crypto';
import type { Undo } from '../../src/core/undo.ts';
import { run } from '../../src/host/process.ts';

const TIMEOUT_MS = 30_000;

export interface HandNetwork {
  readonly tapName: string;
  /** Puts a program into the namespace. */
  readonly inside: (argv: readonly [string, ...string[]]) => [string, ...string[]];
}

/** @param host end of the guest's network: `10.77.0.1/20`. */
export async function makeNamespace(
  undo: Undo,
  host: string,
  guest: { readonly address: string; readonly macAddress: string },
): Promise<HandNetwork> {
  const name = `bngr-bench-${randomBytes(4).toString('hex')}`;
  const tapName = 'tap0';
  await run(['ip', 'netns', 'add', name], { timeoutMs: TIMEOUT_MS });
  undo.add(`namespace ${name}`, async () => {
    await run(['ip', 'netns', 'delete', name], { timeoutMs: TIMEOUT_MS });
  });
  const commands = [
    'link set dev lo up',
    `tuntap add dev ${tapName} mode tap`,
    `addr add ${host} dev ${tapName}`,
    // As banger does it: no first packet waits for an answer to "who has".
    `neigh replace ${guest.address} lladdr ${guest.macAddress} nud permanent dev ${tapName}`,
    `link set dev ${tapName} up`,
  ];
  await run(['ip', '-netns', name, '-batch', '-'], {
    input: commands.map((line) => `${line}\n`).join(''),
    timeoutMs: TIMEOUT_MS,
  });
  return { tapName, inside: (argv) => ['nsenter', `--net=/run/netns/${name}`, ...argv] };
}
