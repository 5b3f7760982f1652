import { stat } from 'node:fs/promises';
import type { KvmHost } from '../../core/engines/ports.ts';
import { KVM_DEVICE, probeDevice } from './device-probe.ts';

/** @param digest of a file; asked once for each state that a kernel's file has. */
export function createKvmHost(digest: KvmHost['kernelDigest']): KvmHost {
  const known = new Map<string, { readonly stamp: string; readonly digest: string }>();
  return {
    device: () => probeDevice(KVM_DEVICE),
    async kernelDigest(path, signal) {
      const { size, mtimeMs, ino } = await stat(path);
      const stamp = `${size} ${mtimeMs} ${ino}`;
      const found = known.get(path);
      if (found?.stamp === stamp) return found.digest;
      const made = await digest(path, signal);
      known.set(path, { stamp, digest: made });
      return made;
    },
  };
}
