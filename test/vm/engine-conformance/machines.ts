/** Machines of the suite, each in a folder of its own. */
import { mkdirSync, mkdtempSync, openSync, closeSync, readSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MachineSpec } from '../../../src/core/vms/engine.ts';
import { machineSpec } from '../../support/machine-spec.ts';
import type { Behaviour, ConformanceMachine } from './conformance-bench.ts';
import { GUEST_INIT, type GuestDisk } from './guest-disk.ts';

const DRIVE_BYTES = 16 * 2 ** 20;
/** As many bytes as the guest reads and writes. */
const DRIVE_TEXT_BYTES = 16;

/** @param changes what the engine wants otherwise. */
export function makeMachine(
  dir: string,
  behaviour: Behaviour,
  { guest, changes }: { readonly guest: GuestDisk; readonly changes: Partial<MachineSpec> },
): ConformanceMachine {
  const machineDir = mkdtempSync(join(dir, 'm-'));
  mkdirSync(machineDir, { recursive: true });
  const pathOf = (id: 'second' | 'third'): string => join(machineDir, `${id}.raw`);
  for (const id of ['second', 'third'] as const) {
    writeFileSync(pathOf(id), 'on the host'.padEnd(DRIVE_TEXT_BYTES));
    truncateSync(pathOf(id), DRIVE_BYTES);
  }
  const { spec } = machineSpec(machineDir, {
    memoryBytes: 512 * 2 ** 20,
    kernelPath: guest.kernelPath,
    initrdPath: guest.initrdPath,
    kernelArgs: [`init=${GUEST_INIT}`, `conformance=${behaviour}`],
    drives: [
      { id: 'root', path: guest.rootPath, readOnly: true },
      { id: 'second', path: pathOf('second'), readOnly: false },
      { id: 'third', path: pathOf('third'), readOnly: true },
    ],
    ...changes,
  });
  return { spec, driveText: (id) => readStart(pathOf(id)) };
}

function readStart(path: string): string {
  const bytes = Buffer.alloc(DRIVE_TEXT_BYTES);
  const file = openSync(path, 'r');
  try {
    readSync(file, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(file);
  }
  return bytes.toString('latin1');
}
