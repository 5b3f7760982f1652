/** QEMU in a network namespace of the suite's own, with the TAP there. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QemuEngine } from '../../../src/adapters/qemu/engine.ts';
import { readHostTsc } from '../../../src/adapters/qemu/host-tsc.ts';
import type { Accelerator } from '../../../src/contracts/vm.ts';
import { ipBatch, makeNamespace, startInside } from '../../support/netns.ts';
import type { ConformanceBench } from './conformance-bench.ts';
import { makeGuestDisk } from './guest-disk.ts';
import { kvmObstacle } from './kvm-obstacle.ts';
import { makeMachine } from './machines.ts';

const TAP = 'bngr-0123456789';
const DISCARD =
  "require('node:net').createServer((s) => s.on('error', () => s.destroy()).resume())" +
  ".listen(7000, '10.77.0.1', () => console.log('listening'))";

export async function openQemuBench(
  accelerator: Accelerator,
  stack: AsyncDisposableStack,
): Promise<ConformanceBench | { readonly obstacle: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'bgr-c-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const namespace = await makeNamespace(stack);
  await ipBatch(namespace, `tuntap add ${TAP} mode tap`, `addr add 10.77.0.1/24 dev ${TAP}`, `link set dev ${TAP} up`);
  const qemuPath = join(dir, 'qemu');
  writeFileSync(qemuPath, `#!/bin/sh\nexec ip netns exec ${namespace} qemu-system-x86_64 "$@"\n`);
  chmodSync(qemuPath, 0o755);
  const guest = await makeGuestDisk(dir);
  const obstacle = accelerator === 'kvm' ? await kvmObstacle(guest.kernelPath) : undefined;
  if (obstacle !== undefined) return { obstacle };
  const slow = accelerator === 'tcg';
  const bootTimeoutsMs = slow ? [20_000, 40_000] : [5_000, 10_000];
  return {
    engine: new QemuEngine({ qemuPath, accelerator, bootTimeoutsMs, tsc: readHostTsc }),
    makeMachine: (behaviour) => Promise.resolve(makeMachine(dir, behaviour, { guest, changes: {} })),
    starter: {
      argv: [process.execPath, join(import.meta.dirname, '..', '..', 'integration', 'qemu', 'start-and-wait.ts')],
      env: { QEMU_PATH: qemuPath, ACCELERATOR: accelerator },
    },
    exits: { poweroff: 'guest-shutdown', reboot: 'guest-reset', panic: 'guest-panic' },
    async serveDiscard() {
      await startInside(namespace, [process.execPath, '-e', DISCARD], stack);
    },
    bootTimeoutMs: slow ? 180_000 : 30_000,
  };
}
