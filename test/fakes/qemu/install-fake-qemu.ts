import { chmodSync, mkdirSync, readFileSync, renameSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasCode } from '../../../src/host/error-code.ts';
import { FAKE_FILES, type FakePhase, type FakeQemuPlan, type FakeStart, type FakeVerb } from './fake-plan.ts';

/** A program that is started as QEMU is, and speaks as QEMU does. */
export interface FakeQemu {
  /** For `qemu_bin`. */
  readonly path: string;
  /** Takes effect at the next start. */
  readonly setPlan: (plan: FakeQemuPlan) => void;
  /** Reaches every fake that runs now, or the one of this VM. */
  readonly tell: (verb: FakeVerb, vmId?: string) => void;
  /** Every start so far, oldest first. */
  readonly starts: () => FakeStart[];
  /** Waits until any fake has come so far; at once where one has already. The test's own timeout bounds it. */
  readonly reached: (phase: FakePhase) => Promise<void>;
}

/**
 * Puts a fake QEMU into a folder of the test's own. It runs by the Node that runs the test, whatever PATH says, and
 * needs no rights, no guest and no TAP.
 */
export function installFakeQemu(dir: string, plan: FakeQemuPlan = {}): FakeQemu {
  const path = join(dir, FAKE_FILES.program);
  const commandsDir = join(dir, FAKE_FILES.commands);
  const planFile = join(dir, FAKE_FILES.plan);
  let told = 0;
  const setPlan = (next: FakeQemuPlan): void => writeFileSync(planFile, JSON.stringify(next));
  mkdirSync(commandsDir, { recursive: true });
  setPlan(plan);
  const program = fileURLToPath(new URL('fake-qemu.ts', import.meta.url));
  const words = [process.execPath, program, dir].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  writeFileSync(path, `#!/bin/sh\nexec ${words.join(' ')} "$@"\n`);
  chmodSync(path, 0o755);
  return {
    path,
    setPlan,
    tell(verb, vmId = 'all') {
      told += 1;
      const name = `${told}.${vmId}.${verb}`;
      // In one piece: the fake looks as soon as it sees the name.
      writeFileSync(join(dir, name), '');
      renameSync(join(dir, name), join(commandsDir, name));
    },
    starts() {
      return readLines(join(dir, FAKE_FILES.starts)).map((line) => JSON.parse(line) as FakeStart);
    },
    reached(phase) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = (): void => {
        if (readLines(join(dir, FAKE_FILES.phases)).includes(phase)) resolve();
      };
      const watcher = watch(dir, look);
      watcher.on('error', reject);
      look();
      return promise.finally(() => watcher.close());
    },
  };
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
