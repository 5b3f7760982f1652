/** What a VM gets where neither its command nor the config says: a share of the host. Pure; for daemon and CLI alike. */

const GIB = 2 ** 30;
const MIB = 2 ** 20;
/** Shares are cut to whole ones of these. */
const MEMORY_STEP_BYTES = 64 * MIB;

/** A quarter of the host's processors, one at least and four at most. */
export function defaultCpus(hostCpus: number): number {
  return Math.min(4, Math.max(1, Math.floor(hostCpus / 4)));
}

/** An eighth of the host's memory, 512 MiB at least and 8 GiB at most. */
export function defaultMemoryBytes(hostMemoryBytes: number): number {
  const share = Math.floor(hostMemoryBytes / 8 / MEMORY_STEP_BYTES) * MEMORY_STEP_BYTES;
  return Math.min(8 * GIB, Math.max(512 * MIB, share));
}
