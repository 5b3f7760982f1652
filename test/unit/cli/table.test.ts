import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Column, detailLines, tableLines } from '../../../src/cli/table.ts';

const COLUMNS: readonly Column[] = [
  { title: 'NAME', least: 8 },
  { title: 'STATE' },
  { title: 'IMAGE', least: 6 },
  { title: 'CPUS', align: 'right', leaveOut: 1 },
  { title: 'NAT', leaveOut: 2 },
];
const ROWS = [
  ['calm-otter', 'running', 'dev', '2', 'yes'],
  ['a-name-of-thirty-characters-xx', 'stopped', 'a-long-image-name', '16', 'no'],
];

test('everything is shown where there is room', () => {
  expect(tableLines(COLUMNS, ROWS, Infinity)).toEqual([
    'NAME                            STATE    IMAGE              CPUS  NAT',
    'calm-otter                      running  dev                   2  yes',
    'a-name-of-thirty-characters-xx  stopped  a-long-image-name    16  no',
  ]);
});

test('long columns share the loss, then columns are left out', () => {
  expect(tableLines(COLUMNS, ROWS, 50)).toEqual([
    'NAME            STATE    IMAGE           CPUS  NAT',
    'calm-otter      running  dev                2  yes',
    'a-name-of-thi…  stopped  a-long-image-…    16  no',
  ]);
  expect(tableLines(COLUMNS, ROWS, 32)).toEqual([
    'NAME      STATE    IMAGE    CPUS',
    'calm-ot…  running  dev         2',
    'a-name-…  stopped  a-long…    16',
  ]);
});

test('no line is wider than the terminal while the least widths fit', () => {
  const cell = fc.string({ maxLength: 70 });
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          cell,
          cell.map((text) => text.slice(0, 8)),
          cell,
        ),
      ),
      fc.integer({ min: 40, max: 200 }),
      (rows, width) => {
        const columns = [{ title: 'NAME', least: 8 }, { title: 'STATE' }, { title: 'IMAGE', least: 6 }];
        for (const line of tableLines(columns, rows, width)) expect(line.length).toBeLessThanOrEqual(width);
      },
    ),
  );
});

test('control characters in cells are visible', () => {
  expect(tableLines([{ title: 'A' }], [['\u001b[2Jx']], 80)).toEqual(['A', '^[[2Jx']);
});

test('details stand in one column; what is undefined is left out', () => {
  expect(
    detailLines(
      [
        ['name', 'x'],
        ['made by', 'build'],
        ['from', undefined],
      ],
      Infinity,
    ),
  ).toEqual(['name:    x', 'made by: build']);
});

test('a long value goes on in its column, and no word of it is broken', () => {
  expect(
    detailLines(
      [
        ['state', 'failed: crashed: it ended with signal 11'],
        ['rootfs', '/a/path/that/is/longer/than/the/terminal/is'],
      ],
      30,
    ),
  ).toEqual([
    'state:  failed: crashed: it',
    '        ended with signal 11',
    'rootfs: /a/path/that/is/longer/than/the/terminal/is',
  ]);
});
