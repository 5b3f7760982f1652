/** From a machine's spec to the requests that make it, in the order in which Firecracker wants them. Pure. */
import type { MachineDrive, MachineSpec } from '../../core/vms/engine.ts';
import type { ApiRequest, JsonObject } from './api-message.ts';
import { bootArguments } from './boot-args.ts';
import type { MachinePlaces } from './places.ts';
import { type FirecrackerVersion, isAtLeast } from './version.ts';

/**
 * 17 virtio-mmio devices is the most from 1.15 on; network card, vsock, entropy source and balloon take one each.
 */
export const MAX_DRIVES = 13;
/** Of Firecracker's `vcpu_count`. */
export const MAX_VCPUS = 32;

const MIB = 2 ** 20;
/** Each machine has its own socket on the host, so they need not differ. The least that may be taken. */
const GUEST_CID = 3;
const BALLOON_STATISTICS_S = 10;
/**
 * What a guest may print without end is bounded in its rate: 1 MiB at once, then 100 KiB a second. More is dropped, and
 * counted in the metrics.
 */
const SERIAL_BUCKET = { size: MIB, one_time_burst: 4 * MIB, refill_time: 10_000 } as const;
/**
 * A bucket smaller than what one request carries, or refilled faster than Firecracker looks (every 100 ms), makes the
 * device stand still (firecracker issue 3370).
 */
const MIN_BUCKET_BYTES = 256 * 1024;
const MIN_REFILL_MS = 1_000;

/** Every request up to `InstanceStart`, which comes after what must be written down first. */
export function machineRequests(spec: MachineSpec, places: MachinePlaces, version: FirecrackerVersion): ApiRequest[] {
  return [
    // Without a path the log is what the process prints, into a file that is ours; the console is not in it, by /serial.
    put('/logger', { level: 'Warning', show_level: true, show_log_origin: false }),
    put('/metrics', { metrics_path: places.metrics }),
    put('/serial', {
      serial_out_path: places.console,
      rate_limiter: isAtLeast(version, { major: 1, minor: 16 }) ? SERIAL_BUCKET : undefined,
    }),
    put('/machine-config', { vcpu_count: spec.cpus, mem_size_mib: memoryMib(spec.memoryBytes) }),
    put('/boot-source', {
      kernel_image_path: places.kernel,
      initrd_path: places.initrd,
      boot_args: bootArguments(spec).join(' '),
    }),
    ...spec.drives.map((drive, index) => driveRequest(drive, { spec, places, index })),
    put('/network-interfaces/eth0', nic(spec)),
    put('/vsock', { guest_cid: GUEST_CID, uds_path: places.vsock }),
    put('/entropy', {}),
    put('/balloon', { amount_mib: 0, deflate_on_oom: true, stats_polling_interval_s: BALLOON_STATISTICS_S }),
  ];
}

/** Firecracker takes whole MiB; what is over is not given. */
export function memoryMib(memoryBytes: number): number {
  return Math.floor(memoryBytes / MIB);
}

export const INSTANCE_START: ApiRequest = put('/actions', { action_type: 'InstanceStart' });
export const CTRL_ALT_DEL: ApiRequest = put('/actions', { action_type: 'SendCtrlAltDel' });

export function stateRequest(state: 'Paused' | 'Resumed'): ApiRequest {
  return { method: 'PATCH', path: '/vm', body: { state } };
}

function put(path: string, body: JsonObject): ApiRequest {
  return { method: 'PUT', path, body };
}

/**
 * The first drive is /dev/vda, the others follow in this order. An initrd finds the root by the command line, and then no
 * drive may be the root one. `Writeback` honours the guest's flushes; the default does not.
 */
function driveRequest(
  drive: MachineDrive,
  { spec, places, index }: { readonly spec: MachineSpec; readonly places: MachinePlaces; readonly index: number },
): ApiRequest {
  return put(`/drives/${drive.id}`, {
    drive_id: drive.id,
    path_on_host: places.drives[index] ?? drive.path,
    is_root_device: index === 0 && spec.initrdPath === undefined,
    is_read_only: drive.readOnly,
    cache_type: 'Writeback',
    rate_limiter: bandwidth(spec.limits.diskBytesPerSecond),
  });
}

function nic({ nic: { tapName, macAddress }, limits }: MachineSpec): JsonObject {
  return {
    iface_id: 'eth0',
    host_dev_name: tapName,
    guest_mac: macAddress,
    rx_rate_limiter: bandwidth(limits.networkBytesPerSecond),
    tx_rate_limiter: bandwidth(limits.networkBytesPerSecond),
  };
}

function bandwidth(bytesPerSecond: number | undefined): JsonObject | undefined {
  if (bytesPerSecond === undefined) return undefined;
  const size = Math.max(bytesPerSecond, MIN_BUCKET_BYTES);
  const refillMs = Math.max(Math.round((size * 1000) / bytesPerSecond), MIN_REFILL_MS);
  return { bandwidth: { size, refill_time: refillMs } };
}
