/** The guest that decides whether an accelerator is used, with a real kernel: it speaks where guests run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { probeInitrd } from '../../../src/adapters/guest-assets/probe-initrd.ts';
import { createKvmProbe } from '../../../src/adapters/qemu/kvm-probe.ts';
import type { Accelerator } from '../../../src/contracts/vm.ts';
import type { Image } from '../../../src/contracts/image.ts';
import type { ProbeOutcome } from '../../../src/core/engines/ports.ts';
import { AGENT_PROGRAM } from '../../support/agent-process.ts';
import { json, ok } from '../banger.ts';
import { kvmObstacle } from './kvm-obstacle.ts';

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'bgr-probe-'));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function kernel(): Promise<string> {
  return (await json<Image>(['image', 'show', 'debian'])).boot.kernelPath;
}

/** @param timeoutMs left out: what banger gives it. */
async function probe(accelerator: Accelerator, timeoutMs?: number): Promise<ProbeOutcome> {
  const initrdPath = join(dir, 'probe.cpio');
  const makeInitrd = (): Promise<Uint8Array> => probeInitrd(AGENT_PROGRAM);
  const options = { qemuPath: 'qemu-system-x86_64', accelerator, initrdPath, makeInitrd };
  const made = createKvmProbe({ ...options, ...(timeoutMs !== undefined && { timeoutMs }) });
  return made.probe(await kernel(), new AbortController().signal);
}

test('it speaks in software, where every guest runs', async () => {
  expect(await probe('tcg', 120_000)).toEqual({ usable: true, reason: 'a guest was seen to run programs' });
});

test('it says of KVM what a kernel that is started by hand says', async () => {
  const obstacle = await kvmObstacle(await kernel());
  expect((await probe('kvm')).usable, obstacle).toBe(obstacle === undefined);
});

test('doctor tells what a probe finds, and the next one knows it', async () => {
  const probed = await ok(['doctor', '--for', 'vm', '--probe']);
  expect(probed).toMatch(/accelerator +(\/dev\/kvm|Guests boot on KVM)/);
  expect(await ok(['doctor', '--for', 'vm'])).toContain(/accelerator .*/.exec(probed)?.[0] ?? 'nothing');
});
