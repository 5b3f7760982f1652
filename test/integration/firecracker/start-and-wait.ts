/**
 * Starts one machine, prints its identity as one line of JSON, and waits to be killed.
 * OPTIONS and SPEC (JSON); STOP_AT=identity: never lets the guest run.
 */
import { FirecrackerEngine, type FirecrackerEngineOptions } from '../../../src/adapters/firecracker/engine.ts';
import type { MachineIdentity, MachineSpec } from '../../../src/core/vms/engine.ts';

const { OPTIONS = '', SPEC = '', STOP_AT } = process.env;

const forever = new Promise<never>(() => undefined);
setInterval(() => undefined, 60_000);

function print(identity: MachineIdentity): void {
  process.stdout.write(`${JSON.stringify(identity)}\n`);
}

const engine = new FirecrackerEngine({
  ...(JSON.parse(OPTIONS) as FirecrackerEngineOptions),
  log: (line) => process.stderr.write(`${line}\n`),
});
const machine = await engine.start(
  {
    ...(JSON.parse(SPEC) as MachineSpec),
    onIdentity: (identity) => {
      if (STOP_AT !== 'identity') return Promise.resolve();
      print(identity);
      return forever;
    },
  },
  new AbortController().signal,
);
print(machine.identity);
await forever;
