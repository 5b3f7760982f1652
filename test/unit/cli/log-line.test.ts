import { expect, test } from 'vitest';
import { logLine } from '../../../src/cli/log-line.ts';

test.each([
  [
    '{"level":30,"time":1777636800000,"pid":1,"hostname":"h","msg":"listening","socket":"/run/x"}',
    '2026-05-01T12:00:00.000Z info  listening socket=/run/x',
  ],
  [
    '{"level":50,"time":1777636800000,"msg":"failed","err":{"code":"X"}}',
    '2026-05-01T12:00:00.000Z error failed err={"code":"X"}',
  ],
  ['{"level":"info","time":"2026-05-01T12:00:00Z","msg":"a\\u001b[2Jb"}', '2026-05-01T12:00:00Z info  a^[[2Jb'],
  ['    at main (x.ts:1)', '    at main (x.ts:1)'],
  ['"text"', '"text"'],
])('%s', (line, shown) => {
  expect(logLine(line)).toBe(shown);
});
