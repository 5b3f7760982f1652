/** The beginnings of kernels, made up: enough for what recognises them. */

interface BzImageOptions {
  readonly version?: string | undefined;
  readonly protocol?: number;
  readonly loadFlags?: number;
  readonly xloadFlags?: number;
}

/** A bzImage of two setup sectors and 64 bytes of code (Documentation/arch/x86/boot.rst). */
export function bzImage(options: BzImageOptions = {}): Buffer {
  const { version = '6.1.0-test', protocol = 0x020f, loadFlags = 1, xloadFlags = 3 } = options;
  const file = Buffer.alloc(3 * 512 + 64);
  file.write('MZ', 0, 'latin1');
  file.writeUInt8(2, 0x1f1);
  file.writeUInt32LE(4, 0x1f4);
  file.writeUInt16LE(0xaa55, 0x1fe);
  file.write('HdrS', 0x202, 'latin1');
  file.writeUInt16LE(protocol, 0x206);
  file.writeUInt8(loadFlags, 0x211);
  file.writeUInt16LE(xloadFlags, 0x236);
  if ('version' in options && options.version === undefined) return file;
  file.writeUInt16LE(0x200, 0x20e);
  file.write(`${version} (builder@host) #1 SMP\0`, 0x400, 'latin1');
  return file;
}

interface ElfOptions {
  readonly machine?: number;
  readonly elfClass?: number;
  readonly type?: number;
  readonly address?: bigint;
  readonly headersAt?: bigint;
}

/** An ELF file with one segment, at the address where Linux has its text (elf(5)). */
export function elfKernel(options: ElfOptions = {}): Buffer {
  const { machine = 62, elfClass = 2, type = 2, address = 0xffffffff81000000n, headersAt = 64n } = options;
  const file = Buffer.alloc(64 + 56);
  file.set([0x7f, 0x45, 0x4c, 0x46, elfClass, 1, 1]);
  file.writeUInt16LE(type, 16);
  file.writeUInt16LE(machine, 18);
  file.writeBigUInt64LE(headersAt, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64);
  file.writeBigUInt64LE(address, 80);
  return file;
}
