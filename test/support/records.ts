/** Records that are complete and valid; a test says only what matters to it. */
import type { Image } from '../../src/contracts/image.ts';
import type { Operation } from '../../src/contracts/operation.ts';
import type { VmRecord } from '../../src/core/vms/repository.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const CREATED_AT = '2026-01-01T00:00:00.000Z';

export function imageRecord(given: Partial<Image> = {}): Image {
  return {
    id: 'img-0000000001',
    name: 'base',
    managed: true,
    rootfsPath: '/images/base/rootfs.ext4',
    boot: { kernelPath: '/images/base/kernel' },
    sizeBytes: 2 ** 30,
    digest: DIGEST,
    createdAt: CREATED_AT,
    provenance: { method: 'bootstrap', bangerVersion: '0.1.0', parameters: {}, steps: [] },
    ...given,
  };
}

export function vmRecord(given: Partial<VmRecord> = {}): VmRecord {
  return {
    id: 'vm-0000000001',
    name: 'calm-otter',
    imageId: 'img-0000000001',
    imageName: 'base',
    cpus: 2,
    memoryBytes: 2 ** 30,
    diskBytes: 8 * 2 ** 30,
    egress: 'none',
    address: '10.77.0.2',
    macAddress: '02:62:0a:4d:00:02',
    tapName: 'bngr-0000000001',
    hostPublicKey: 'ssh-ed25519 AAAA',
    kernelPath: '/images/base/kernel',
    initrdPath: undefined,
    ephemeral: false,
    leased: false,
    workspace: undefined,
    transient: false,
    createdAt: CREATED_AT,
    phase: 'creating',
    hasAgent: false,
    engine: 'qemu',
    origins: { cpus: 'flag', memory: 'config', disk: 'image' },
    ...given,
  };
}

export function operationRecord(given: Partial<Operation> = {}): Operation {
  return {
    id: 'op-0000000001',
    kind: 'image.build',
    target: 'dev',
    state: 'running',
    stages: [],
    createdAt: CREATED_AT,
    ...given,
  };
}
