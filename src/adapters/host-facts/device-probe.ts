import { constants, open } from 'node:fs/promises';
import type { DeviceState } from '../../core/doctor/ports.ts';
import { errorCode, hasCode } from '../../host/error-code.ts';

export const KVM_DEVICE = '/dev/kvm';

/** Opens a device for reading and writing and closes it again; that changes nothing for /dev/net/tun and /dev/kvm. */
export async function probeDevice(path: string): Promise<DeviceState> {
  try {
    const handle = await open(path, constants.O_RDWR);
    await handle.close();
    return 'usable';
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'missing';
    if (hasCode(error, 'EACCES', 'EPERM')) return 'denied';
    if (errorCode(error) === undefined) throw error;
    return 'broken';
  }
}
