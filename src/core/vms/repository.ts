import type { EngineName, VmOrigins } from '../../contracts/vm.ts';
import type { Workspace } from '../../contracts/workspace.ts';

/** What the user asked for and what tear-down needs: durable. What is true now lives in the runtime file. */
export interface VmRecord {
  /** `vm-` and 10 hexadecimal digits; TAP name and folders are derived from it. */
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly imageName: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** What it may reach outside, as `readEgress` takes it. */
  readonly egress: string;
  readonly address: string;
  readonly macAddress: string;
  readonly tapName: string;
  readonly hostPublicKey: string;
  readonly kernelPath: string;
  readonly initrdPath: string | undefined;
  readonly ephemeral: boolean;
  /** Deleted when nobody holds its lease any more. */
  readonly leased: boolean;
  readonly workspace: Workspace | undefined;
  /** Whether the disk had a guest agent when it was made: what is waited for at a start. */
  readonly hasAgent: boolean;
  /** A build's transient VM: never listed, always removed. */
  readonly transient: boolean;
  readonly createdAt: string;
  /** `creating` until its disk is ready; a record still `creating` after a restart is removed. */
  readonly phase: 'creating' | 'ready' | 'deleting';
  readonly engine: EngineName;
  readonly origins: VmOrigins;
}

export interface VmRepository {
  list(): readonly VmRecord[];
  find(id: string): VmRecord | undefined;
  findByName(name: string): VmRecord | undefined;
  /**
   * Inserts the record in one transaction that also takes its name, address, MAC and TAP.
   *
   * @param choose is called with the addresses in use and returns the record to insert.
   * @throws AppError NAME_TAKEN; what `choose` throws.
   */
  reserve(
    choose: (taken: { readonly names: ReadonlySet<string>; readonly addresses: ReadonlySet<string> }) => VmRecord,
  ): VmRecord;
  update(record: VmRecord): void;
  /** @returns the record with its new name. @throws AppError NAME_TAKEN, VM_NOT_FOUND. */
  rename(id: string, name: string): VmRecord;
  delete(id: string): void;
  usingImage(imageId: string): readonly VmRecord[];
}

/** Which VMs may talk to each other. Always both ways; gone with either VM. */
export interface PeerRepository {
  /** Names of a VM's peers, in order, by the VM's id; a VM that has none is left out. */
  names(): ReadonlyMap<string, readonly string[]>;
  /** The addresses of each two. */
  addresses(): readonly (readonly [string, string])[];
  /** Makes these, and no others, a VM's peers. */
  set(vmId: string, peerIds: readonly string[]): void;
}

/** Names of images being made: taken before the work starts, given back when it ends either way. */
export interface NameReservations {
  /** @throws AppError NAME_TAKEN where an image or another reservation has it. */
  reserveImageName(name: string, imageId: string): void;
  release(imageId: string): void;
  /** Reservations left over from before a restart. */
  clearAll(): void;
}
