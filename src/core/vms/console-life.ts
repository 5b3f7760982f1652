/**
 * Tells a boot from a hang. In software emulation a guest that must measure its clock may fail to and hang (see
 * adapters/qemu/host-tsc.ts): the console holds the kernel's first lines, all stamped zero, and nothing follows. A silent
 * console, and one whose clock stands still, are no boot. Pure.
 */

/** As much of a console as is looked at. A hang leaves about 6 KiB; one that holds more has long shown life. */
export const CONSOLE_HEAD_BYTES = 64 * 1024;

/**
 * True once the guest has shown that its clock moves, or has said anything that is not the kernel's own first words.
 *
 * @param text of the console from its beginning, at most `CONSOLE_HEAD_BYTES`; a line counts once it is whole.
 */
export function showsLife(text: string): boolean {
  if (text.length >= CONSOLE_HEAD_BYTES) return true;
  const lines = text.split('\n').slice(0, -1);
  return lines.some((line) => {
    const words = line.trim();
    if (words === '' || words.startsWith('Probing EDD')) return false;
    const stamp = /^\[\s*(\d+\.\d+)\]/.exec(words)?.[1];
    return stamp === undefined || Number(stamp) > 0;
  });
}
