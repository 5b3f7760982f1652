/** Network namespaces of a test's own, and small programs run in them. Everything goes when `stack` is disposed. */
import { randomBytes } from 'node:crypto';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';
import { type RunOptions, type RunResult, run } from '../../src/host/process.ts';

const SOCKET_PEER = fileURLToPath(new URL('./socket-peer.ts', import.meta.url));

/** A suite whose tests make namespaces, which only root can here; skipped with that reason by anybody else. */
export function describeInNamespaces(title: string, suite: () => void): void {
  // oxlint-disable-next-line vitest/no-conditional-tests -- the condition is the machine's, and the other branch says so
  if (process.getuid?.() === 0) {
    describe(title, () => {
      suite();
    });
    return;
  }
  describe(title, () => {
    it('makes network namespaces', (context) => context.skip('only root can make network namespaces here'));
  });
}

/** Makes a namespace with its loopback up. @returns its name under /run/netns. */
export async function makeNamespace(stack: AsyncDisposableStack): Promise<string> {
  const name = `bngr-test-${randomBytes(4).toString('hex')}`;
  await run(['ip', 'netns', 'add', name]);
  stack.defer(async () => {
    await run(['ip', 'netns', 'delete', name]);
  });
  await run(['ip', '-netns', name, 'link', 'set', 'dev', 'lo', 'up']);
  return name;
}

/** Puts a program into a namespace; nothing but its network is another. */
export function inside(name: string, argv: readonly [string, ...string[]]): [string, ...string[]] {
  return ['nsenter', `--net=/run/netns/${name}`, ...argv];
}

export function runInside(
  name: string,
  argv: readonly [string, ...string[]],
  options: RunOptions = {},
): Promise<RunResult> {
  return run(inside(name, argv), options);
}

/** `ip -batch` in a namespace. */
export async function ipBatch(name: string, ...lines: readonly string[]): Promise<void> {
  await run(['ip', '-netns', name, '-batch', '-'], { input: `${lines.join('\n')}\n` });
}

/** Joins two namespaces by a pair of interfaces, both up, each with its address. */
export async function joinByVeth(
  one: { readonly name: string; readonly device: string; readonly address: string },
  other: { readonly name: string; readonly device: string; readonly address: string },
): Promise<void> {
  await ipBatch(one.name, `link add ${one.device} type veth peer name ${other.device} netns ${other.name}`);
  for (const end of [one, other]) {
    await ipBatch(end.name, `addr add ${end.address} dev ${end.device}`, `link set dev ${end.device} up`);
  }
}

/** Starts a program in a namespace. @returns its first line, once it has written it. */
export async function startInside(
  name: string,
  argv: readonly [string, ...string[]],
  stack: AsyncDisposableStack,
): Promise<{ readonly child: ChildProcess; readonly firstLine: string; readonly lines: AsyncIterator<string> }> {
  const [program, ...args] = inside(name, argv);
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  stack.defer(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done) throw new Error(`${argv.join(' ')} ended before it was ready`);
  return { child, firstLine: first.value, lines };
}

/** A TCP server that greets each client with the address it sees. */
export async function listenInside(
  name: string,
  { address, port }: { readonly address: string; readonly port: number },
  stack: AsyncDisposableStack,
): Promise<void> {
  await startInside(name, [process.execPath, SOCKET_PEER, 'listen', address, String(port)], stack);
}

/** A TCP server that gives back what it gets. */
export async function echoInside(
  name: string,
  { address, port }: { readonly address: string; readonly port: number },
  stack: AsyncDisposableStack,
): Promise<void> {
  await startInside(name, [process.execPath, SOCKET_PEER, 'echo', address, String(port)], stack);
}

/** Holds a connection to `echoInside` on which something always goes. @returns how it ended: an error's code. */
export async function talkInside(
  name: string,
  { address, port }: { readonly address: string; readonly port: number },
  stack: AsyncDisposableStack,
): Promise<{ readonly ended: Promise<unknown> }> {
  const argv = [process.execPath, SOCKET_PEER, 'talk', address, String(port)] as const;
  const { lines } = await startInside(name, argv, stack);
  return { ended: lines.next().then(({ value }: { value?: unknown }) => value) };
}

/** Receives datagrams. @returns the texts, in the order they came. */
export async function receiveInside(
  name: string,
  { address, port }: { readonly address: string; readonly port: number },
  stack: AsyncDisposableStack,
): Promise<AsyncIterator<string>> {
  return (await startInside(name, [process.execPath, SOCKET_PEER, 'sink', address, String(port)], stack)).lines;
}

/** Sends one datagram; nobody tells whether it arrives. */
export async function sendInside(
  name: string,
  to: { readonly address: string; readonly port: number; readonly text: string; readonly from?: string },
): Promise<void> {
  const { address, port, text, from = '' } = to;
  await runInside(name, [process.execPath, SOCKET_PEER, 'send', address, String(port), text, from]);
}

/** A name server that answers every question for an address with 192.0.2.99. */
export async function serveNamesInside(name: string, address: string, stack: AsyncDisposableStack): Promise<void> {
  await startInside(name, [process.execPath, SOCKET_PEER, 'names', address], stack);
}

/**
 * Connects from a namespace.
 *
 * @returns the greeting (`hello ADDRESS`), else the error's code, `timeout` after a second without an answer.
 */
export async function connectInside(
  name: string,
  { address, port, from = '' }: { readonly address: string; readonly port: number; readonly from?: string },
): Promise<string> {
  const argv = [process.execPath, SOCKET_PEER, 'connect', address, String(port), from] as const;
  return (await runInside(name, argv)).stdout.trim();
}

/** Asks a name server from a namespace. @returns the address it tells, else the error's code. */
export async function askInside(name: string, server: string, question = 'guest.example.test'): Promise<string> {
  return (await runInside(name, [process.execPath, SOCKET_PEER, 'ask', server, question])).stdout.trim();
}
