import { randomInt } from 'node:crypto';

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** A fresh operation id: `op-` and ten of 0-9 and a-z, about 51 random bits. */
export function newOperationId(): string {
  return `op-${Array.from({ length: 10 }, () => DIGITS[randomInt(DIGITS.length)]).join('')}`;
}
