/** RFC 1035, 4.2.2: over TCP a message's size comes in two bytes before it. Pure. */

/** @returns where the first message ends; undefined while its size has not come. */
export function frameLength(received: Buffer): number | undefined {
  return received.length < 2 ? undefined : 2 + received.readUInt16BE(0);
}

export function withLength(message: Buffer): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(message.length);
  return Buffer.concat([size, message]);
}
