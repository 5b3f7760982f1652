/** What a probe makes of a guest that speaks, of one that does not, and that nothing of either is left. */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createKvmProbe } from '../../../src/adapters/qemu/kvm-probe.ts';
import { PROBE_LINE } from '../../../src/contracts/agent.ts';
import type { AcceleratorProbe } from '../../../src/core/engines/ports.ts';
import { isRunning } from '../../support/process-evidence.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const NEVER = new AbortController().signal;

interface Bench {
  readonly probe: AcceleratorProbe;
  readonly dir: string;
  /** Of the VMM that was started. */
  readonly pid: () => number;
  readonly argv: () => string;
}

/** @param script what stands in QEMU's place. */
async function bench(script: string): Promise<Bench> {
  const dir = await makeTempDir();
  const qemuPath = join(dir, 'qemu');
  writeFileSync(qemuPath, `#!/bin/sh\necho $$ > '${dir}/pid'\necho "$*" > '${dir}/argv'\n${script}\n`);
  chmodSync(qemuPath, 0o755);
  const probe = createKvmProbe({
    qemuPath,
    accelerator: 'kvm',
    initrdPath: join(dir, 'probe.cpio'),
    makeInitrd: () => Promise.resolve(Buffer.from('archive')),
    timeoutMs: 700,
  });
  return {
    probe,
    dir,
    pid: () => Number(readFileSync(join(dir, 'pid'), 'utf8')),
    argv: () => readFileSync(join(dir, 'argv'), 'utf8'),
  };
}

const USABLE = { usable: true, reason: 'a guest was seen to run programs' };

test.each([
  ['and resets itself', ''],
  ['and then hangs', 'exec sleep 60'],
  ['and whose VMM fails then', 'exit 1'],
])('a guest that speaks %s', async (_, then) => {
  const { probe, pid, argv, dir } = await bench(`printf '[    0.1] Linux\\r\\n${PROBE_LINE}\\r\\n'\n${then}`);
  expect(await probe.probe('/boot/kernel', NEVER)).toEqual(USABLE);
  expect(isRunning(pid())).toBe(false);
  expect(argv()).toContain(`-kernel /boot/kernel -initrd ${dir}/probe.cpio -append console=ttyS0 panic=-1 -- --probe`);
  expect(readFileSync(join(dir, 'probe.cpio'), 'utf8')).toBe('archive');
});

test.each([
  ['says nothing', 'exec sleep 60', 'a guest said nothing within 0.7 s'],
  ['spins', 'while :; do :; done', 'a guest said nothing within 0.7 s'],
  [
    'hangs in its kernel',
    'echo "[    0.2] Calibrating"; exec sleep 60',
    'a guest got no further than its kernel within 0.7 s; its last line: [    0.2] Calibrating',
  ],
  [
    'ends',
    'echo "[    0.3] Kernel panic"',
    'the guest ended without a word of ours; its last line: [    0.3] Kernel panic',
  ],
  ['is not begun', 'echo "qemu: no KVM" >&2; exit 1', 'qemu ended with status 1: qemu: no KVM'],
])('a guest that %s', async (_, script, reason) => {
  const { probe, pid } = await bench(script);
  const outcome = await probe.probe('/boot/kernel', NEVER);
  expect(outcome.usable).toBe(false);
  expect(outcome.reason.replace(/\S*\/qemu/, 'qemu')).toBe(reason);
  expect(isRunning(pid())).toBe(false);
});

test('one that is given up ends at once', async () => {
  const { probe, pid, dir } = await bench('exec sleep 60');
  const over = new AbortController();
  const probing = probe.probe('/boot/kernel', over.signal);
  await expect.poll(() => existsSync(join(dir, 'argv')) && isRunning(pid())).toBe(true);
  over.abort(new Error('enough'));
  await expect(probing).rejects.toThrow('enough');
  expect(isRunning(pid())).toBe(false);
});
