/** A `NetworkService` in a namespace of the test, driven line by line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { NetworkObservation } from '../../src/core/networks/network-service.ts';
import type { NetworkPort } from '../../src/core/networks/ports.ts';
import { inside } from './netns.ts';

const DRIVER = fileURLToPath(new URL('./network-service-driver.ts', import.meta.url));

interface Told {
  readonly told: string;
  readonly tapName?: string;
  readonly message?: string;
}

export interface DrivenNetwork {
  attach(port: NetworkPort): Promise<unknown>;
  restore(ports: readonly NetworkPort[]): Promise<unknown>;
  detach(tapName: string): Promise<unknown>;
  setEgress(tapName: string, egress: string): Promise<unknown>;
  setPeers(pairs: readonly (readonly [string, string])[]): Promise<unknown>;
  observe(tapName: string): Promise<NetworkObservation | null>;
  removeAll(): Promise<unknown>;
  /** The next thing the service tells that passes; waits for it. */
  told(passes: (told: Told) => boolean): Promise<Told>;
  /** Kills the program, as a daemon is killed. */
  kill(): Promise<void>;
}

export async function driveService(
  namespace: string,
  setting: { readonly nameServer: string; readonly cidr: string; readonly tableName: string },
  stack: AsyncDisposableStack,
): Promise<DrivenNetwork> {
  const [program, ...args] = inside(namespace, [process.execPath, DRIVER, JSON.stringify(setting)]);
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const end = async (): Promise<void> => {
    child.stdin.end();
    await closed;
  };
  stack.defer(end);
  const answers: ((line: { ok?: unknown; error?: { message: string } }) => void)[] = [];
  const tellings: Told[] = [];
  const listeners = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as Told & { ok?: unknown; error?: { message: string } };
    if (said.told === undefined) answers.shift()?.(said);
    else tellings.push(said);
    for (const listener of listeners) listener();
  });
  const answer = async (): Promise<unknown> => {
    const { promise, resolve } = Promise.withResolvers<{ ok?: unknown; error?: { message: string } }>();
    answers.push(resolve);
    const { ok, error } = await promise;
    if (error) throw new Error(error.message);
    return ok;
  };
  const call = (...words: readonly unknown[]): Promise<unknown> => {
    const answered = answer();
    child.stdin.write(`${JSON.stringify(words)}\n`);
    return answered;
  };
  await answer();
  return {
    attach: (port) => call('attach', port),
    restore: (ports) => call('restore', ports),
    detach: (tapName) => call('detach', tapName),
    setEgress: (tapName, egress) => call('setEgress', tapName, egress),
    setPeers: (pairs) => call('setPeers', pairs),
    observe: async (tapName) => (await call('observe', tapName)) as NetworkObservation | null,
    removeAll: () => call('removeAll'),
    told: async (passes) => {
      for (;;) {
        const index = tellings.findIndex(passes);
        if (index >= 0) return tellings.splice(0, index + 1).at(-1) as Told;
        await new Promise<void>((resolve) => {
          const heard = (): void => {
            listeners.delete(heard);
            resolve();
          };
          listeners.add(heard);
        });
      }
    },
    kill: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
}
