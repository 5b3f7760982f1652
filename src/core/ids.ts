import { randomBytes } from 'node:crypto';

/** `tmp` is what staging holds only for a moment. */
type IdPrefix = 'vm' | 'img' | 'tmp';

/** A fresh id: the prefix and 10 hexadecimal digits. A VM's TAP name and folders are derived from its digits. */
export function newId(prefix: IdPrefix): string {
  return `${prefix}-${randomBytes(5).toString('hex')}`;
}

/** True where a text has the very form of what `newId` makes; a name that somebody else has given has it not. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return text.startsWith(`${prefix}-`) && /^[0-9a-f]{10}$/.test(text.slice(prefix.length + 1));
}
