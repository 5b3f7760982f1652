import { constants, open } from 'node:fs/promises';
import type { DeviceState } from '../../core/doctor/ports.ts';

/** Opens a device for reading and writing and closes it again; that changes nothing for /dev/net/tun and /dev/kvm. */
export async function probeDevice(path: string): Promise<DeviceState> {
  try {
    const handle = await open(path, constants.O_RDWR);
    await handle.close();
    return 'usable';
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (error.code === 'ENOENT') return 'missing';
    return error.code === 'EACCES' || error.code === 'EPERM' ? 'denied' : 'broken';
  }
}
