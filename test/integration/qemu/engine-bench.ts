import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { QemuEngine } from '../../../src/adapters/qemu/engine.ts';
import type { MachineIdentity, MachineSpec } from '../../../src/core/vms/engine.ts';
import type { FakeQemuPlan } from '../../fakes/qemu/fake-plan.ts';
import { type FakeQemu, installFakeQemu } from '../../fakes/qemu/install-fake-qemu.ts';
import { machineSpec } from '../../support/machine-spec.ts';
import { isRunning } from '../../support/process-evidence.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

export interface EngineBench {
  readonly engine: QemuEngine;
  readonly fake: FakeQemu;
  readonly spec: MachineSpec;
  readonly identities: MachineIdentity[];
  /** Pids of every fake VMM that runs now. */
  readonly running: () => number[];
}

/** An engine on a fake QEMU, in a folder of the test's own; whatever still runs at the test's end is ended. */
export async function engineBench(
  plan: FakeQemuPlan = {},
  options: { readonly bootTimeoutsMs?: readonly number[]; readonly spec?: Partial<MachineSpec> } = {},
): Promise<EngineBench> {
  const dir = await makeTempDir();
  const fake = installFakeQemu(mkdtempSync(join(dir, 'fake-')), plan);
  const { spec, identities } = machineSpec(dir, options.spec);
  writeFileSync(join(dir, 'disk.ext4'), '');
  const running = (): number[] =>
    fake
      .starts()
      .map(({ pid }) => pid)
      .filter(isRunning);
  onTestFinished(() => {
    for (const pid of running()) process.kill(pid, 'SIGKILL');
  });
  const engine = new QemuEngine({
    qemuPath: fake.path,
    accelerator: 'tcg',
    bootTimeoutsMs: options.bootTimeoutsMs ?? [20_000],
    tsc: () => Promise.resolve(undefined),
  });
  return { engine, fake, spec, identities, running };
}
