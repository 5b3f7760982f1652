import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  cut,
  formatAge,
  formatDuration,
  outputLine,
  safeJson,
  visible,
  wrap,
  wrapUnder,
} from '../../../src/cli/terminal-text.ts';

test.each([
  ['plain é ✔', 'plain é ✔'],
  ['\u001b[2J', '^[[2J'],
  ['a\tb', 'a b'],
  ['a\nb\rc', 'a^Jb^Mc'],
  ['\u007f', '^?'],
  ['\u009b31m', '<U+009B>31m'],
  ['abc\u202edcb', 'abc<U+202E>dcb'],
])('%j is shown as %j', (text, shown) => {
  expect(visible(text)).toBe(shown);
});

test('nothing that a terminal obeys is left', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      for (const character of visible(text)) {
        const code = character.codePointAt(0) ?? 0;
        expect(code < 0x20 || (code >= 0x7f && code <= 0x9f)).toBe(false);
      }
    }),
  );
});

test('a line that ends in a carriage return is shown without it', () => {
  expect(outputLine('done\r')).toBe('done');
  expect(outputLine('50 %\r100 %')).toBe('50 %^M100 %');
});

test('a line is shown without its colours, and with every other escape', () => {
  expect(outputLine('\u001b[1;32mok\u001b[0m \u001b[2J')).toBe('ok ^[[2J');
});

test('JSON stays the same value, and cannot act on a terminal', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      const json = safeJson({ value, text });
      expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ value, text })));
      expect(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/.test(json)).toBe(false);
    }),
  );
});

test.each([
  ['it fits', 7, ['it fits']],
  ['it does not fit', 7, ['it does', '  not', '  fit']],
  ['a word-that-is-too-long stays', 8, ['a', '  word-that-is-too-long', '  stays']],
  ['See `banger vm --help`.', 12, ['See', '  `banger vm --help`.']],
  ['an `open quote', 6, ['an', '  `open', '  quote']],
  ['name:   two  blanks', 14, ['name:   two', '  blanks']],
  ['', 0, ['']],
])('%j within %d columns', (line, width, lines) => {
  expect(wrap(line, width, '  ')).toEqual(lines);
});

test('a line that is indented goes on under itself', () => {
  expect(wrapUnder('  130  Ctrl-C; for another', 18, '')).toEqual(['  130  Ctrl-C; for', '  another']);
  expect(wrapUnder('  log tail: one two', 12, '  ')).toEqual(['  log tail:', '    one two']);
});

test('wrapping loses no word and breaks none; only what holds one word is too wide', () => {
  const text = fc.array(fc.stringMatching(/^[a-z`-]{1,30}$/), { minLength: 1 }).map((words) => words.join(' '));
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: 200 }), (line, width) => {
      const lines = wrap(line, width, '  ');
      expect(
        lines
          .map((part) => part.trim())
          .join(' ')
          .replaceAll(' ', ''),
      ).toBe(line.replaceAll(' ', ''));
      for (const part of lines) {
        const isOneWord = !part
          .trim()
          .replaceAll(/`[^`]*`/g, '')
          .includes(' ');
        expect(part.length <= width || isOneWord, part).toBe(true);
      }
    }),
  );
});

test('cut leaves what fits and marks what does not', () => {
  expect(cut('abcdef', 6)).toBe('abcdef');
  expect(cut('abcdef', 4)).toBe('abc…');
  expect(cut('abcdef', 0)).toBe('…');
});

test.each([
  [0, '0.0 s'],
  [12_345, '12.3 s'],
  [59_900, '59.9 s'],
  [60_000, '1 min 00 s'],
  [245_000, '4 min 05 s'],
])('%d ms is %s', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test.each([
  [5, '5 s ago'],
  [-5, '0 s ago'],
  [179, '2 min ago'],
  [7300, '2 h ago'],
  [86_400 * 6, '6 days ago'],
])('%d seconds are %s', (seconds, text) => {
  const now = Date.parse('2026-05-01T12:00:00Z');
  expect(formatAge(new Date(now - seconds * 1000).toISOString(), now)).toBe(text);
});
