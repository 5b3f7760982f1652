/** Text on its way to a terminal. */

// Control characters of ASCII and Latin-1, and what makes a terminal reorder a line (Unicode TR9, 2.1 to 2.6).
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * Text from a guest or the daemon with its control characters made visible (`^[`, `<U+009B>`), so that it cannot
 * move the cursor, set a title or hide what it says. One line stays one line.
 */
export function visible(text: string): string {
  return text.replaceAll(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    if (code === 0x09) return ' ';
    if (code < 0x20) return `^${String.fromCharCode(code + 0x40)}`;
    if (code === 0x7f) return '^?';
    return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}

// Colours and weights, ECMA-48 8.3.117 (SGR).
const STYLE = /\u001b\[[\d;:]*m/g;

/**
 * A program's line of output: without the carriage return at its end and without its colours, which would leave the
 * text hard to read when they are made visible; everything else is.
 */
export function outputLine(line: string): string {
  return visible(line.replace(/\r+$/, '').replaceAll(STYLE, ''));
}

/** JSON in which nothing can act on a terminal; it parses to the same value. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replaceAll(CONTROL, (character) =>
    character === '\n' ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Cuts a text to a number of characters, with `…` as the last one where something is cut. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Words, each with the blanks before it; what stands in backquotes is one word. */
const WORDS = /\s*(?:(?:[^\s`]|`[^`]*`)+|\S+)/g;

/**
 * A line as several of at most `width` characters, broken between words alone: a path or a command that is broken
 * cannot be copied, so one that is longer stays whole.
 *
 * @param indent goes before every line but the first.
 */
export function wrap(line: string, width: number, indent = ''): readonly string[] {
  if (line.length <= width) return [line];
  const lines: string[] = [];
  let current = '';
  for (const word of line.match(WORDS) ?? []) {
    if (current === '' || current.length + word.length <= width) current += word;
    else {
      lines.push(current);
      current = indent + word.trimStart();
    }
  }
  return [...lines, current];
}

/** The same; what follows stands under the line itself, however far that is indented, and `more` further. */
export function wrapUnder(line: string, width: number, more: string): readonly string[] {
  return wrap(line, width, (/^ */.exec(line)?.[0] ?? '') + more);
}

/** `0.4 s`, `12.3 s`, `4 min 05 s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** `5 s ago`, `3 min ago`, `2 h ago`, `6 days ago`. */
export function formatAge(then: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(then)) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} days ago`;
}
