import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { FirecrackerEngine, type FirecrackerEngineOptions } from '../../../src/adapters/firecracker/engine.ts';
import { parseVersion } from '../../../src/adapters/firecracker/version.ts';
import type { MachineIdentity, MachineSpec } from '../../../src/core/vms/engine.ts';
import { installStub, type FirecrackerStub } from '../../fakes/firecracker-stub/install-stub.ts';
import type { StubPlan } from '../../fakes/firecracker-stub/stub-plan.ts';
import { machineSpec } from '../../support/machine-spec.ts';
import { isRunning } from '../../support/process-evidence.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

export interface DriverBench {
  readonly dir: string;
  readonly engine: FirecrackerEngine;
  readonly engineOptions: Omit<FirecrackerEngineOptions, 'log'>;
  readonly stub: FirecrackerStub;
  readonly spec: MachineSpec;
  readonly identities: MachineIdentity[];
  readonly jailsDir: string;
  /** Pids of every stub that runs now. */
  readonly running: () => number[];
  /** What a machine that is gone has left beside its console, its logs and its disk. */
  readonly left: () => string[];
}

const LASTING = ['console.log', 'disk.ext4', 'kernel', 'metrics.ndjson', 'stub', 'vmm.log', 'jails'];

/** An engine on a stub of Firecracker, in a folder of the test's own; whatever still runs at the test's end is ended. */
export async function driverBench(
  plan: StubPlan = {},
  options: {
    readonly isJailed?: boolean;
    readonly bootTimeoutsMs?: readonly number[];
    readonly spec?: Partial<MachineSpec>;
  } = {},
): Promise<DriverBench> {
  const dir = await makeTempDir();
  const stub = installStub(join(dir, 'stub'), plan);
  const { spec, identities } = machineSpec(dir, options.spec);
  const jailsDir = join(dir, 'jails');
  mkdirSync(jailsDir);
  writeFileSync(join(dir, 'disk.ext4'), 'disk', { mode: 0o600 });
  writeFileSync(join(dir, 'kernel'), '\x7fELF and more', { mode: 0o644 });
  const running = (): number[] =>
    stub
      .starts()
      .map(({ pid }) => pid)
      .filter(isRunning);
  onTestFinished(() => {
    for (const pid of running()) process.kill(pid, 'SIGKILL');
  });
  const version = parseVersion(plan.version ?? '1.15.1');
  if (!version) throw new TypeError('the plan has no version');
  const settings = { jailerPath: stub.jailerPath, firecrackerPath: stub.path, baseDir: jailsDir, hasCgroups: false };
  const engineOptions: Omit<FirecrackerEngineOptions, 'log'> = {
    version,
    firecrackerPath: stub.path,
    jail: options.isJailed ? { settings, owners: { first: 1_900_000_000, count: 1_000 } } : undefined,
    bootTimeoutsMs: options.bootTimeoutsMs ?? [20_000],
  };
  const engine = new FirecrackerEngine({ ...engineOptions, log: () => undefined });
  const left = (): string[] => [
    ...readdirSync(dir).filter((name) => !LASTING.includes(name)),
    ...readdirSync(jailsDir, { recursive: true })
      .map(String)
      .filter((name) => name !== 'firecracker'),
  ];
  return { dir, engine, engineOptions, stub, spec, identities, jailsDir, running, left };
}

/** Starts a machine in a process of its own and ends that process with SIGKILL: what a crashed daemon leaves. */
export async function orphanOf(
  { engineOptions, spec }: DriverBench,
  stopAt: 'identity' | 'running' = 'running',
): Promise<MachineIdentity> {
  const starter = spawn(process.execPath, [new URL('start-and-wait.ts', import.meta.url).pathname], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, OPTIONS: JSON.stringify(engineOptions), SPEC: JSON.stringify(spec), STOP_AT: stopAt },
  });
  const [line] = (await once(createInterface({ input: starter.stdout }), 'line')) as [string];
  starter.kill('SIGKILL');
  await once(starter, 'exit');
  return JSON.parse(line) as MachineIdentity;
}
