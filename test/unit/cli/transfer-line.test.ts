import { createColors } from 'picocolors';
import { expect, test } from 'vitest';
import { type Transfer, transferLine } from '../../../src/cli/transfer-line.ts';

const colors = createColors(false);
const transfer: Transfer = {
  label: 'box:/root/data',
  doneBytes: 205 * 2 ** 20,
  totalBytes: 500 * 2 ** 20,
  elapsedMs: 30_000,
  bytesPerSecond: 7.1 * 2 ** 20,
};

test('all there is to know', () => {
  expect(transferLine(transfer, { colors, width: 100 })).toBe(
    'box:/root/data            [=======>            ]   41 %  205M of 500M  7.1M/s  41.5 s left',
  );
});

test('without a total there is neither bar nor end', () => {
  expect(transferLine({ ...transfer, totalBytes: undefined }, { colors, width: 100 })).toBe(
    'box:/root/data            205M  7.1M/s',
  );
});

test.each([20, 40, 60, 80, 100, 200])('fits %i columns, one of them free', (width) => {
  for (const label of ['x', `box:/${'long'.repeat(50)}`]) {
    for (const doneBytes of [0, 1, transfer.doneBytes, 2 ** 40]) {
      const line = transferLine({ ...transfer, label, doneBytes }, { colors, width });
      expect(line.length).toBeLessThan(width);
    }
  }
});

test('a name cannot act on the terminal', () => {
  expect(transferLine({ ...transfer, label: 'a\u001b[2Jb' }, { colors, width: 100 })).toContain('a^[[2Jb');
});
