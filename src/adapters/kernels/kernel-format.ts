/** Recognises x86-64 kernels by their headers. Pure. */
import { ascii, fileKind, hasBytes } from './file-kind.ts';

export type KernelFinding =
  | { readonly format: 'bzimage'; readonly version: string | undefined; readonly sizeBytes: number }
  | { readonly format: 'elf' }
  | { readonly refused: string; readonly hint?: string };

/** Enough for the boot protocol's header and the version text behind it. */
export const KERNEL_HEAD_BYTES = 64 * 1024;

const COMPRESSED_HINT = 'Unpack it first; a bzImage holds its own compression and is used as it is.';

export function recogniseKernel(head: Uint8Array): KernelFinding {
  if (hasBytes(head, 0x202, ascii('HdrS'))) return recogniseBzImage(head);
  if (hasBytes(head, 0x38, ascii('ARMd'))) return { refused: 'an arm64 kernel (Image); this is an x86-64 host' };
  if (hasBytes(head, 0x38, ascii('RSC\u0005'))) return { refused: 'a RISC-V kernel (Image); this is an x86-64 host' };
  if (hasBytes(head, 0, [0x7f, ...ascii('ELF')])) return recogniseElf(head);
  const kind = fileKind(head);
  return kind.includes('compressed') ? { refused: kind, hint: COMPRESSED_HINT } : { refused: kind };
}

/** Documentation/arch/x86/boot.rst: the header's fields lie at fixed places. */
function recogniseBzImage(head: Uint8Array): KernelFinding {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 0x268) return { refused: 'the beginning of a kernel, cut off' };
  const protocol = view.getUint16(0x206, true);
  const loadedHigh = (view.getUint8(0x211) & 1) !== 0;
  if (!loadedHigh) return { refused: 'a zImage, a kernel format of the 1990s' };
  const runsIn64Bit = protocol < 0x020c || (view.getUint16(0x236, true) & 1) !== 0;
  if (!runsIn64Bit) return { refused: 'a 32-bit kernel; guests are x86-64' };
  const setupSectors = view.getUint8(0x1f1) || 4;
  const sizeBytes = (setupSectors + 1) * 512 + view.getUint32(0x1f4, true) * 16;
  const versionAt = view.getUint16(0x20e, true);
  const version = versionAt === 0 ? undefined : firstWord(head, versionAt + 0x200);
  return { format: 'bzimage', version, sizeBytes };
}

function firstWord(head: Uint8Array, offset: number): string | undefined {
  const text = Buffer.from(head.subarray(offset, offset + 256)).toString('latin1');
  return /^[\w.+~-]+(?=[ \0])/.exec(text)?.[0];
}

const MACHINES: Readonly<Record<number, string>> = { 3: '32-bit x86', 40: 'arm', 183: 'arm64', 243: 'RISC-V' };
const X86_64 = 62;
const TYPES: Readonly<Record<number, string>> = {
  1: 'an object file or kernel module (.o, .ko)',
  3: 'a shared library or ordinary program',
  4: 'a core dump',
};
const EXECUTABLE = 2;
const LOADABLE = 1;
/** The kernel's own half of the address space begins here (Documentation/arch/x86/x86_64/mm.rst). */
const KERNEL_TEXT_START = 0xffffffff80000000n;

/** elf(5). */
function recogniseElf(head: Uint8Array): KernelFinding {
  if (head.length < 64) return { refused: 'the beginning of an ELF file, cut off' };
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const machine = view.getUint16(18, true);
  if (machine !== X86_64 || head[4] !== 2 || head[5] !== 1) {
    return { refused: `an ELF file for ${MACHINES[machine] ?? 'another processor'}; this is an x86-64 host` };
  }
  const type = view.getUint16(16, true);
  if (type !== EXECUTABLE) return { refused: TYPES[type] ?? 'an ELF file that cannot be run' };
  if (!loadsKernelText(view)) return { refused: 'an ordinary program, no kernel' };
  return { format: 'elf' };
}

function loadsKernelText(view: DataView): boolean {
  const start = Number(view.getBigUint64(32, true));
  const entrySize = view.getUint16(54, true);
  const count = view.getUint16(56, true);
  for (let index = 0; index < count; index += 1) {
    const at = start + index * entrySize;
    if (at + 56 > view.byteLength) return false;
    if (view.getUint32(at, true) === LOADABLE && view.getBigUint64(at + 16, true) >= KERNEL_TEXT_START) return true;
  }
  return false;
}

/** The version in a kernel's own greeting, `Linux version 6.1.0-18-amd64 (...)`. */
export function versionInBanner(text: string): string | undefined {
  return /Linux version (\d[\w.+~-]*) \(/.exec(text)?.[1];
}
