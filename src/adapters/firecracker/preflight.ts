/** What is looked at before anything is made: clear words instead of what the VMM would say, or would not. */
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { AppError } from '../../core/app-error.ts';
import type { EngineCapabilities, MachineSpec } from '../../core/vms/engine.ts';
import { errorCode } from '../../host/error-code.ts';
import { fitsSocket, SOCKET_PATH_MAX_BYTES } from '../../host/paths.ts';

const KVM_DEVICE = '/dev/kvm';
const ELF_MAGIC = '\x7fELF';

/**
 * @throws AppError PATH_TOO_LONG, ENGINE_FAILED where the engine cannot have such a machine, IMAGE_FILES_MISSING,
 * KERNEL_INVALID.
 */
export async function checkMachine(spec: MachineSpec, capabilities: EngineCapabilities): Promise<void> {
  for (const path of [spec.controlSocketPath, spec.agentSocketPath]) {
    if (fitsSocket(path)) continue;
    const message = `A socket's path has more than ${SOCKET_PATH_MAX_BYTES} bytes: ${path}`;
    throw new AppError('PATH_TOO_LONG', message, { details: { path } });
  }
  if (spec.drives.length > capabilities.maxDrives || spec.cpus > capabilities.maxCpus) {
    const { maxDrives, maxCpus } = capabilities;
    throw new AppError(
      'ENGINE_FAILED',
      `Firecracker gives a VM at most ${maxCpus} processors and ${maxDrives} drives; this one would have ${spec.cpus} and ${spec.drives.length}.`,
      { hint: 'Give it fewer, or set `engine = "qemu"` in the config file.' },
    );
  }
  await checkFiles(spec);
  await checkKernel(spec.kernelPath, capabilities.kernelFormats);
}

/** @throws AppError ENGINE_UNAVAILABLE where we may not use KVM, which Firecracker cannot do without. */
export async function assertKvmOpens(): Promise<void> {
  try {
    await (await open(KVM_DEVICE, constants.O_RDWR)).close();
  } catch (error) {
    const code = errorCode(error) ?? String(error);
    throw new AppError('ENGINE_UNAVAILABLE', `Firecracker needs KVM, and ${KVM_DEVICE} cannot be opened (${code}).`, {
      hint:
        code === 'EACCES'
          ? 'Join its group, then log in again: sudo usermod -aG kvm $USER'
          : 'Turn virtualisation on, or set `engine = "qemu"` in the config file.',
      cause: error,
    });
  }
}

async function checkFiles({ kernelPath, initrdPath, drives }: MachineSpec): Promise<void> {
  await assertReadable(kernelPath, 'kernel', constants.R_OK);
  if (initrdPath !== undefined) await assertReadable(initrdPath, 'initial ramdisk', constants.R_OK);
  for (const { path, readOnly } of drives) {
    await assertReadable(path, 'disk', readOnly ? constants.R_OK : constants.R_OK | constants.W_OK);
  }
}

async function assertReadable(path: string, what: string, mode: number): Promise<void> {
  try {
    await access(path, mode);
  } catch (error) {
    const message = `The ${what} cannot be opened (${errorCode(error) ?? String(error)}): ${path}`;
    throw new AppError('IMAGE_FILES_MISSING', message, { details: { path }, cause: error });
  }
}

/** Firecracker looks at the format only when it starts the guest, and says no more than that a number is wrong. */
async function checkKernel(path: string, formats: EngineCapabilities['kernelFormats']): Promise<void> {
  if (formats.includes('bzimage')) return;
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(ELF_MAGIC.length), 0, ELF_MAGIC.length, 0);
    if (buffer.toString('latin1', 0, bytesRead) === ELF_MAGIC) return;
  } finally {
    await file.close();
  }
  throw new AppError(
    'KERNEL_INVALID',
    `This Firecracker boots an uncompressed vmlinux alone, which the kernel is not: ${path}`,
    {
      hint: 'Take the vmlinux out of the bzImage, or set `engine = "qemu"` in the config file.',
      details: { path },
    },
  );
}
