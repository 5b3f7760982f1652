/** Complete resources for tests, each field changeable. */
import type { Image } from '../../src/contracts/image.ts';
import type { Vm } from '../../src/contracts/vm.ts';

export function sampleVm(more: Partial<Vm> = {}): Vm {
  return {
    id: 'vm-0123456789',
    name: 'calm-otter',
    state: 'running',
    imageName: 'dev',
    cpus: 2,
    memoryBytes: 2 ** 30,
    diskBytes: 8 * 2 ** 30,
    origins: { cpus: 'host', memory: 'flag', disk: 'image' },
    nat: true,
    egress: 'open',
    peers: [],
    address: '10.77.0.2',
    macAddress: '02:62:0a:4d:00:02',
    tapName: 'bngr-0123456789',
    createdAt: '2026-01-02T03:04:05.000Z',
    consolePath: '/state/vms/vm-0123456789/console.log',
    startedAt: '2026-01-02T03:04:06.000Z',
    engine: 'qemu',
    accelerator: 'tcg',
    pid: 4242,
    ephemeral: false,
    ...more,
  };
}

export function sampleImage(more: Partial<Image> = {}): Image {
  return {
    id: 'img-0123456789',
    name: 'debian',
    managed: true,
    rootfsPath: '/images/img-0123456789/rootfs.ext4',
    boot: { kernelPath: '/images/img-0123456789/kernel', initrdPath: '/images/img-0123456789/initrd' },
    sizeBytes: 2 * 2 ** 30,
    digest: `sha256:${'ab'.repeat(32)}`,
    packageCount: 211,
    createdAt: '2026-01-02T03:04:05.000Z',
    provenance: { method: 'bootstrap', bangerVersion: '0.1.0', parameters: { release: 'bookworm' }, steps: [] },
    ...more,
  };
}
