import { randomBytes } from 'node:crypto';

/** A fresh id: the prefix and 10 hexadecimal digits. A VM's TAP name and folders are derived from its digits. */
export function newId(prefix: 'vm' | 'img'): string {
  return `${prefix}-${randomBytes(5).toString('hex')}`;
}
