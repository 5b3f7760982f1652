import { createColors } from 'picocolors';
import { expect, test } from 'vitest';
import { endedStageLine, plainLine, runningStageLines } from '../../../src/cli/stage-lines.ts';
import { afterEvent, NO_STAGES } from '../../../src/cli/stage-model.ts';
import type { OperationEvent } from '../../../src/contracts/event.ts';

const AT = '2026-05-01T12:00:00.000Z';
const NOW = Date.parse(AT) + 12_300;
const colors = createColors(false);

function model(...events: readonly OperationEvent[]) {
  return events.reduce(afterEvent, NO_STAGES);
}

const running: OperationEvent = {
  type: 'stage',
  at: AT,
  stage: { name: 'step:packages', state: 'running', startedAt: AT },
};
const log = (line: string): OperationEvent => ({ type: 'log', at: AT, stage: 'step:packages', line });

test('a running stage shows its time and its last line', () => {
  const lines = runningStageLines(model(running, log('one'), log('Unpacking \u001b[1mgit\u001b[0m')), {
    colors,
    width: 80,
    now: NOW,
    frame: 0,
  });
  expect(lines).toEqual(['⠋ step:packages          12.3 s', '  Unpacking git']);
});

test('progress is a percentage', () => {
  const progress: OperationEvent = { type: 'progress', at: AT, stage: 'step:packages', done: 1, total: 3 };
  const [line] = runningStageLines(model(running, progress), { colors, width: 80, now: NOW, frame: 1 });
  expect(line).toBe('⠙ step:packages          12.3 s  33 %');
});

test.each([[80], [40]])('no line reaches the edge of %d columns', (width) => {
  const lines = runningStageLines(model(running, log('x'.repeat(300))), { colors, width, now: NOW, frame: 0 });
  const ended = endedStageLine(
    { name: 's'.repeat(50), state: 'succeeded', durationMs: 1, note: 'n'.repeat(99) },
    { colors, width },
  );
  for (const line of [...lines, ended ?? '']) expect(line.length).toBeLessThan(width);
});

test('what has ended is no longer running', () => {
  const done: OperationEvent = {
    type: 'stage',
    at: AT,
    stage: { name: 'step:packages', state: 'succeeded', durationMs: 9 },
  };
  expect(model(running, done).running).toEqual([]);
});

test('the tail is that of the stage that wrote last, and bounded', () => {
  const lines = Array.from({ length: 40 }, (_, index) => log(`line ${index}`));
  expect(model(running, ...lines).tail?.lines).toHaveLength(15);
  const other: OperationEvent = { type: 'log', at: AT, stage: 'stop', line: 'bye' };
  expect(model(running, ...lines, other).tail).toEqual({ stage: 'stop', lines: ['bye'] });
});

test.each([
  ['succeeded', { durationMs: 1400, note: 'reflink' }, '✔ clone                   1.4 s  reflink'],
  ['failed', { durationMs: 62_000 }, '✘ clone              1 min 02 s  failed'],
  ['skipped', { note: 'not asked for' }, '- clone                          skipped: not asked for'],
  ['cancelled', { durationMs: 10 }, '■ clone                   0.0 s  cancelled'],
] as const)('a stage that has %s', (state, more, line) => {
  expect(endedStageLine({ name: 'clone', state, ...more }, { colors, width: 80 })).toBe(line);
});

test('off a terminal every event is a line with its time', () => {
  expect(plainLine(log('Reading lists\r'))).toBe('12:00:00 step:packages | Reading lists');
  expect(plainLine(running)).toBe('12:00:00 step:packages: running');
  const done: OperationEvent = {
    type: 'stage',
    at: AT,
    stage: { name: 'clone', state: 'succeeded', durationMs: 1400, note: 'reflink' },
  };
  expect(plainLine(done)).toBe('12:00:00 clone: succeeded in 1.4 s (reflink)');
});
