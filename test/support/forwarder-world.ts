/**
 * A forwarder in a namespace of its own, which is its "host". The daemon's ends are in this process: unix sockets are
 * reached by path from everywhere.
 */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { onTestFinished } from 'vitest';
import { ForwarderLink } from '../../src/adapters/forwarder/forwarder-link.ts';
import { startWaiters } from '../../src/adapters/forwarder/waiters.ts';
import type { ForwarderReport } from '../../src/contracts/forwarder-report.ts';
import type { ForwardingOrder } from '../../src/contracts/forwarding.ts';
import { AppError } from '../../src/core/app-error.ts';
import { type Paths, resolvePaths } from '../../src/host/paths.ts';
import { processesOf } from './host-state.ts';
import { makeNamespace, runInside } from './netns.ts';
import { isRunning } from './process-evidence.ts';
import { startTestServer } from './test-server.ts';

/** What a guest does with a connection to a port of a VM. */
type Guest = (vmName: string, port: number, connection: Duplex) => void;

/** A program for `node -e`: connects, says its third argument, ends its half, prints all that it hears or the error's code. */
const CLIENT = `
const [address, port, text] = process.argv.slice(1);
const socket = require('node:net').connect({ host: address, port: Number(port), allowHalfOpen: true });
let heard = '';
socket.on('data', (chunk) => { heard += chunk; });
socket.on('error', (error) => { heard = error.code; });
socket.on('close', () => console.log(heard));
socket.on('end', () => socket.destroy());
socket.end(text);
`;

/** Each test has one; it is gone with the test. */
export async function makeForwarderWorld() {
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const namespace = await makeNamespace(stack);
  let guest: Guest = (vmName, port, connection) => connection.end(`${vmName} ${port}\n`);
  const server = await startTestServer({
    vmTunnel: ({ params: { name, port } }) => {
      if (name === 'absent') throw new AppError('VM_NOT_FOUND', 'There is no such VM.');
      const [ours, theirs] = duplexPair({ allowHalfOpen: true });
      guest(name, port, theirs);
      return ours;
    },
  });
  const paths = resolvePaths({ BANGER_HOME: dirname(dirname(server.socketPath)) }, 0);
  const logged: string[] = [];
  const link = new ForwarderLink({
    paths,
    log: (message, facts) => logged.push(`${message}: ${JSON.stringify(facts)}`),
    wakeTimeoutMs: 20_000,
  });
  stack.defer(() => {
    link.close();
    return killAll(paths);
  });
  await startWaiters({ paths, prefix: ['nsenter', `--net=/run/netns/${namespace}`] });
  let revision = 0;

  return {
    namespace,
    paths,
    link,
    logged,
    serve: (other: Guest) => void (guest = other),
    /** Gives an order and waits for the report on it. */
    async order(differences: Partial<ForwardingOrder>): Promise<ForwarderReport> {
      revision += 1;
      link.order({ version: 1, revision, dnsAddress: '127.77.0.1', names: [], forwards: [], ...differences });
      await link.reported(revision, AbortSignal.timeout(40_000));
      if (link.state.kind !== 'reporting') throw new Error(`the forwarder is ${JSON.stringify(link.state)}`);
      return link.state.report;
    },
    /** Command lines of what waits and what serves, sorted; each is `flock GATE` or `node GATE`. */
    processes: async () =>
      (await forwarders(paths)).map(({ name, gate }) => `${name} ${gate}`).toSorted((a, b) => a.localeCompare(b)),
    /** Kills the one that serves. */
    async crash(): Promise<void> {
      const [serving] = (await forwarders(paths)).filter(({ name }) => name === 'node');
      if (!serving) throw new Error('no forwarder serves');
      process.kill(serving.pid, 'SIGKILL');
    },
    /** Says a text to a port on the "host", ends its half. @returns what came back, or the error's code. */
    async talk(address: string, port: number, text = ''): Promise<string> {
      const argv = [process.execPath, '-e', CLIENT, address, String(port), text] as const;
      return (await runInside(namespace, argv, { timeoutMs: 20_000 })).stdout.trimEnd();
    },
  };
}

export type ForwarderWorld = Awaited<ReturnType<typeof makeForwarderWorld>>;

async function forwarders(paths: Paths) {
  const found = await processesOf(paths);
  return found.flatMap(({ pid, commandLine }) => {
    const gate = /forwarder\.(spare\.)?gate/.exec(commandLine)?.[0];
    if (gate === undefined || !isRunning(pid)) return [];
    const program = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
    return [{ pid, name: program === 'flock' ? 'flock' : 'node', gate }];
  });
}

async function killAll(paths: Paths): Promise<void> {
  for (const { pid } of await forwarders(paths)) process.kill(pid, 'SIGKILL');
}
