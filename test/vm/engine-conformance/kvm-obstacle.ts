import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '../../../src/host/error-code.ts';
import { ProcessError, run } from '../../../src/host/process.ts';

/** On KVM a kernel prints its first line a few hundredths of a second after its start. */
const TIMEOUT_MS = 10_000;
const FIRST_WORDS = 'Linux version';

/**
 * Why KVM cannot be used here; undefined where this kernel has been seen to run on it. A device that opens proves
 * nothing, and nor does code of a few instructions. By hand, so that a fault of an engine is never taken for one of KVM.
 */
export async function kvmObstacle(kernelPath: string): Promise<string | undefined> {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch (error) {
    return `/dev/kvm cannot be opened (${errorCode(error)})`;
  }
  const dir = mkdtempSync(join(tmpdir(), 'bgr-kvm-'));
  try {
    const consolePath = join(dir, 'console');
    const machine = ['-machine', 'microvm', '-accel', 'kvm', '-cpu', 'host', '-m', '256M', '-no-reboot'];
    const guest = ['-kernel', kernelPath, '-append', 'console=ttyS0 panic=-1', '-serial', `file:${consolePath}`];
    const plain = ['-nodefaults', '-no-user-config', '-display', 'none'];
    // It finds no root, panics, and ends its VMM.
    await run(['qemu-system-x86_64', ...machine, ...guest, ...plain], { timeoutMs: TIMEOUT_MS });
    const said = readFileSync(consolePath, 'utf8');
    return said.includes(FIRST_WORDS) ? undefined : 'a guest on KVM ended without a word';
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    return `no guest runs on KVM: ${error.message.split('\n', 1)[0]}`;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
