/**
 * Starts one machine, prints its identity as one line of JSON, and waits to be killed.
 * QEMU_PATH, SPEC (JSON); ACCELERATOR, `tcg` where it is left out; STOP_AT=identity: never lets the guest run.
 */
import { QemuEngine } from '../../../src/adapters/qemu/engine.ts';
import type { MachineIdentity, MachineSpec } from '../../../src/core/vms/engine.ts';

const { QEMU_PATH = '', SPEC = '', ACCELERATOR, STOP_AT } = process.env;

const forever = new Promise<never>(() => undefined);
setInterval(() => undefined, 60_000);

function print(identity: MachineIdentity): void {
  process.stdout.write(`${JSON.stringify(identity)}\n`);
}

const engine = new QemuEngine({
  qemuPath: QEMU_PATH,
  accelerator: ACCELERATOR === 'kvm' ? 'kvm' : 'tcg',
  bootTimeoutsMs: [20_000],
  tsc: () => Promise.resolve(undefined),
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
