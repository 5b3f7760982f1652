/**
 * The forwarder: lives in the host's network while its daemon lives in banger's own. It listens on loopback where guests
 * listen, and answers for their names. It takes its orders from the daemon and decides nothing.
 *
 * It begins by connecting to the daemon. When the daemon has no more use for it and closes that connection, it becomes
 * again what it was before: a flock(1) that waits at its gate (adapters/forwarder/waiters.ts), which takes a fortieth
 * of the memory. It ends with the daemon, by the kernel's hand.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { type ForwardingOrder, FORWARDING_VERSION, MAX_ORDER_BYTES } from '../contracts/forwarding.ts';
import type { ForwarderReport } from '../contracts/forwarder-report.ts';
import { errorCode } from '../host/error-code.ts';
import { linesOf } from '../host/line-stream.ts';
import { DnsServer } from './dns-server.ts';
import { parseOrder } from './orders.ts';
import { PortForwards } from './port-forwards.ts';
import { openTunnel } from './tunnel.ts';

const { values } = parseArgs({
  options: {
    control: { type: 'string', default: '' },
    daemon: { type: 'string', default: '' },
    gate: { type: 'string', default: '' },
  },
});

void serve(values.control, values.daemon).then(() => rest(values.gate));

/** Follows orders until the daemon closes the connection. */
async function serve(controlPath: string, daemonPath: string): Promise<void> {
  const control = connect(controlPath);
  const names = new DnsServer();
  const forwards = new PortForwards((vmName, port) => openTunnel(daemonPath, vmName, port));
  let next: ForwardingOrder | undefined;
  let work: Promise<void> | undefined;
  const obey = async (): Promise<void> => {
    // Of orders that came meanwhile only the newest matters: each is everything that shall be.
    for (let order = next; order; order = next) {
      next = undefined;
      await report(control, await follow(order, names, forwards));
    }
    work = undefined;
  };
  try {
    await once(control, 'connect');
    for await (const line of linesOf(control, MAX_ORDER_BYTES)) {
      next = parseOrder(line);
      work ??= obey();
    }
  } catch (error) {
    // A daemon that has closed its socket meanwhile has no use for us; anything else stands in the log.
    if (errorCode(error) === undefined) console.error(error);
  } finally {
    control.destroy();
  }
}

async function follow(order: ForwardingOrder, names: DnsServer, forwards: PortForwards): Promise<ForwarderReport> {
  const { revision, dnsAddress } = order;
  const addresses = new Map(order.names.map(({ name, address }) => [name, address]));
  const dnsPorts = await names.serve({ serverAddress: dnsAddress, serial: revision % 2 ** 32, addresses });
  const faults = await forwards.apply(order.forwards);
  return { version: FORWARDING_VERSION, revision, dnsPorts: [...dnsPorts], faults };
}

async function report(control: Socket, said: ForwarderReport): Promise<void> {
  if (control.destroyed || control.write(`${JSON.stringify(said)}\n`)) return;
  // A daemon that reads no reports gets no more of them, until it does.
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ['drain', 'close'] as const) control.once(event, resolve);
  await promise;
}

/** Everything that is open closes with the exec: Node opens nothing that would stay. */
function rest(gate: string): void {
  const self = [process.execPath, ...process.execArgv, process.argv[1] ?? '', ...process.argv.slice(2)];
  process.execve?.('/usr/bin/env', ['env', 'flock', '--no-fork', gate, ...self]);
}
