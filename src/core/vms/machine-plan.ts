/** From a request to a record: every default resolved, every limit checked, nothing made. Pure. */
import type { Config } from '../../contracts/config.ts';
import { defaultCpus, defaultMemoryBytes } from '../../contracts/vm-defaults.ts';
import { canonicalEgress } from '../../contracts/egress.ts';
import { MIN_MEMORY_BYTES, type CreateVmRequest, type VmOrigins } from '../../contracts/vm.ts';
import type { Image } from '../../contracts/image.ts';
import { formatSize } from '../../contracts/size.ts';
import { AppError } from '../app-error.ts';
import { lowestFreeAddress, macAddressOf, tapNameOf } from '../networks/address-plan.ts';
import type { VmRecord } from './repository.ts';

export interface VmDefaults {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number | undefined;
  /** Where they come from. */
  readonly origins: { readonly cpus: 'config' | 'host'; readonly memory: 'config' | 'host' };
}

/** The config's, and where it says nothing a share of the host's. */
export function vmDefaults(
  config: Config['vm_defaults'],
  host: { readonly cpus: number; readonly memoryBytes: number },
): VmDefaults {
  return {
    cpus: config.cpus ?? defaultCpus(host.cpus),
    memoryBytes: config.memory ?? defaultMemoryBytes(host.memoryBytes),
    diskBytes: config.disk_size,
    origins: {
      cpus: config.cpus === undefined ? 'host' : 'config',
      memory: config.memory === undefined ? 'host' : 'config',
    },
  };
}

export interface ResolvedSpec {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly egress: string;
  readonly ephemeral: boolean;
  readonly origins: VmOrigins;
  readonly leased: boolean;
  readonly workspace: VmRecord['workspace'];
}

/** @throws AppError SIZE_INVALID where the disk would be smaller than the image. */
export function resolveSpec(request: CreateVmRequest, image: Image, defaults: VmDefaults): ResolvedSpec {
  if (request.diskBytes !== undefined && request.diskBytes < image.sizeBytes) {
    throw new AppError(
      'SIZE_INVALID',
      `A disk of ${formatSize(request.diskBytes)} is smaller than image "${image.name}" (${formatSize(image.sizeBytes)}).`,
      { hint: `Ask for at least ${formatSize(image.sizeBytes)}, or leave the size out.` },
    );
  }
  return {
    cpus: request.cpus ?? defaults.cpus,
    memoryBytes: Math.max(request.memoryBytes ?? defaults.memoryBytes, MIN_MEMORY_BYTES),
    diskBytes: request.diskBytes ?? Math.max(defaults.diskBytes ?? 0, image.sizeBytes),
    egress: egressOf(request) ?? 'none',
    ephemeral: request.ephemeral,
    origins: {
      cpus: request.cpus === undefined ? defaults.origins.cpus : 'flag',
      memory: request.memoryBytes === undefined ? defaults.origins.memory : 'flag',
      disk: diskOrigin(request, image, defaults),
    },
    leased: request.leased,
    workspace: request.workspace,
  };
}

/** @returns undefined where the request says nothing of it. */
export function egressOf({ nat, egress }: Pick<CreateVmRequest, 'nat' | 'egress'>): string | undefined {
  if (egress !== undefined) return canonicalEgress(egress);
  return nat === undefined ? undefined : nat ? 'open' : 'none';
}

function diskOrigin(request: CreateVmRequest, image: Image, { diskBytes }: VmDefaults): VmOrigins['disk'] {
  if (request.diskBytes !== undefined) return 'flag';
  return diskBytes !== undefined && diskBytes > image.sizeBytes ? 'config' : 'image';
}

export interface RecordFacts {
  readonly id: string;
  readonly name: string;
  readonly image: Image;
  readonly spec: ResolvedSpec;
  readonly hostPublicKey: string;
  readonly transient: boolean;
  readonly createdAt: string;
  readonly engine: VmRecord['engine'];
  readonly cidr: string;
}

/** @throws AppError ADDRESSES_EXHAUSTED. */
export function planRecord(facts: RecordFacts, takenAddresses: ReadonlySet<string>): VmRecord {
  const address = lowestFreeAddress(facts.cidr, takenAddresses);
  return {
    id: facts.id,
    name: facts.name,
    imageId: facts.image.id,
    imageName: facts.image.name,
    ...facts.spec,
    address,
    macAddress: macAddressOf(address),
    tapName: tapNameOf(facts.id),
    hostPublicKey: facts.hostPublicKey,
    kernelPath: facts.image.boot.kernelPath,
    initrdPath: facts.image.boot.initrdPath,
    transient: facts.transient,
    hasAgent: facts.image.agentVersion !== undefined,
    createdAt: facts.createdAt,
    phase: 'creating',
    engine: facts.engine,
  };
}
