/**
 * A whole operating system in some hundred bytes, so that a real QEMU can be tested without a distribution: it says
 * its text on the serial console, sleeps, and powers off when the power button is pressed.
 */

const LOAD_ADDRESS = 0x10_0000;
const HEADERS_BYTES = 64 + 2 * 56;
const NOTE_BYTES = 20;
/** QEMU, include/hw/i386/microvm.h and include/hw/acpi/generic_event_device.h. */
const EVENT_DEVICE = 0xfea0_0000;
const SLEEP_CONTROL = EVENT_DEVICE + 0x200;
const POWER_OFF = 0x34;
const COM1 = 0x3f8;

/** @returns an ELF file with a PVH entry (Xen's note 18), which `-kernel` of QEMU takes. */
export function tinyKernel(text: string): Buffer {
  const codeAddress = LOAD_ADDRESS + HEADERS_BYTES + NOTE_BYTES;
  const code = assemble(codeAddress, text);
  const size = HEADERS_BYTES + NOTE_BYTES + code.length;
  const file = Buffer.alloc(size);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(62, 18);
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(codeAddress), 24);
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(2, 56);
  writeProgramHeader(file, 64, { type: 1, offset: 0, sizeBytes: size });
  writeProgramHeader(file, 120, { type: 4, offset: HEADERS_BYTES, sizeBytes: NOTE_BYTES });
  writeNote(file, codeAddress);
  code.copy(file, HEADERS_BYTES + NOTE_BYTES);
  return file;
}

function writeProgramHeader(
  file: Buffer,
  at: number,
  part: { readonly type: number; readonly offset: number; readonly sizeBytes: number },
): void {
  const address = BigInt(LOAD_ADDRESS + part.offset);
  file.writeUInt32LE(part.type, at);
  file.writeUInt32LE(7, at + 4);
  file.writeBigUInt64LE(BigInt(part.offset), at + 8);
  file.writeBigUInt64LE(address, at + 16);
  file.writeBigUInt64LE(address, at + 24);
  file.writeBigUInt64LE(BigInt(part.sizeBytes), at + 32);
  file.writeBigUInt64LE(BigInt(part.sizeBytes), at + 40);
  file.writeBigUInt64LE(4n, at + 48);
}

function writeNote(file: Buffer, entryAddress: number): void {
  file.writeUInt32LE(4, HEADERS_BYTES);
  file.writeUInt32LE(4, HEADERS_BYTES + 4);
  file.writeUInt32LE(18, HEADERS_BYTES + 8);
  file.write('Xen\0', HEADERS_BYTES + 12, 'latin1');
  file.writeUInt32LE(entryAddress, HEADERS_BYTES + 16);
}

/** 32-bit code, as PVH enters it: flat segments, no paging, interrupts off. */
function assemble(address: number, text: string): Buffer {
  const message = Buffer.from(`${text}\0`, 'latin1');
  const code = Buffer.from([
    ...[0xbe, 0, 0, 0, 0], //             mov  esi, message
    ...[0x66, 0xba, 0, 0], //             mov  dx, COM1
    0xac, //                        next: lodsb
    ...[0x84, 0xc0], //                   test al, al
    ...[0x74, 0x03], //                   jz   wait
    0xee, //                              out  dx, al
    ...[0xeb, 0xf8], //                   jmp  next
    ...[0xf3, 0x90], //             wait: pause
    ...[0xa1, 0, 0, 0, 0], //             mov  eax, [EVENT_DEVICE]
    ...[0xa8, 0x02], //                   test al, 2: power button
    ...[0x74, 0xf5], //                   jz   wait
    ...[0xc6, 0x05, 0, 0, 0, 0, POWER_OFF], // mov byte [SLEEP_CONTROL], POWER_OFF
    ...[0xeb, 0xfe], //                   jmp  $
  ]);
  code.writeUInt32LE(address + code.length, 1);
  code.writeUInt16LE(COM1, 7);
  code.writeUInt32LE(EVENT_DEVICE, 20);
  code.writeUInt32LE(SLEEP_CONTROL, 30);
  return Buffer.concat([code, message]);
}
