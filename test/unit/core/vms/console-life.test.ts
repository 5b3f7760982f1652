import { expect, test } from 'vitest';
import { showsLife } from '../../../../src/core/vms/console-life.ts';

test.each([
  ['nothing', '', false],
  ['the setup code', 'Probing EDD (edd=off to disable)... ok\r\n', false],
  [
    'a clock that stands still',
    '[    0.000000] Linux version 6.1.0\r\n[    0.000000] tsc: Marking TSC unstable\r\n',
    false,
  ],
  ['a line that is not whole', '[    0.000000] Linux version 6.1.0\r\n[    0.15', false],
  ['empty lines', '\r\n\r\n', false],
  ['a clock that moves', '[    0.000000] Linux version 6.1.0\r\n[    0.001595] last_pfn = 0x40000\r\n', true],
  ['a clock past ten seconds', '[   12.000000] late\n', true],
  ['words that are not the kernel’s', 'Loading, please wait...\n', true],
  ['a kernel without stamps', 'Linux version 6.1.0\n', true],
])('%s', (_what, text, alive) => {
  expect(showsLife(text)).toBe(alive);
});
