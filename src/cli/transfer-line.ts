/** The line that shows a copy while it runs: pure, so that every width can be tested. */
import { formatSize } from '../contracts/size.ts';
import type { Colors } from './output.ts';
import { cut, formatDuration, visible } from './terminal-text.ts';

export interface Transfer {
  readonly label: string;
  readonly doneBytes: number;
  /** Undefined while nobody knows it. */
  readonly totalBytes: number | undefined;
  readonly elapsedMs: number;
  /** Of the last few seconds; undefined at the beginning. */
  readonly bytesPerSecond: number | undefined;
}

const BAR_WIDTH = 20;
/** Below this a bar takes the room of what is said. */
const BAR_FROM_WIDTH = 70;
const NAME_WIDTH = 24;

/** `box:/root/data  [=====>      ]  41 %  205M of 500M  7.1M/s  0 min 41 s left` */
export function transferLine(transfer: Transfer, { colors, width }: { colors: Colors; width: number }): string {
  const { doneBytes, totalBytes, bytesPerSecond } = transfer;
  // Files may have grown since they were counted.
  const share = totalBytes === undefined || totalBytes === 0 ? undefined : Math.min(1, doneBytes / totalBytes);
  const facts = [
    share === undefined ? undefined : `${String(Math.floor(share * 100)).padStart(3)} %`,
    totalBytes === undefined ? formatSize(doneBytes) : `${formatSize(doneBytes)} of ${formatSize(totalBytes)}`,
    bytesPerSecond === undefined ? undefined : `${formatSize(bytesPerSecond)}/s`,
    timeLeft(transfer),
  ];
  const text = facts.filter((fact) => fact !== undefined).join('  ');
  const bar = share === undefined || width < BAR_FROM_WIDTH ? '' : `${colors.cyan(barOf(share))}  `;
  const room = width - 1 - text.length - (bar === '' ? 0 : BAR_WIDTH + 4);
  const label = cut(visible(transfer.label), Math.max(8, Math.min(NAME_WIDTH, room - 2)));
  if (room < 10) return cut(text, width - 1);
  return `${label.padEnd(Math.min(NAME_WIDTH, room - 2))}  ${bar}${text}`;
}

function timeLeft({ doneBytes, totalBytes, bytesPerSecond }: Transfer): string | undefined {
  if (totalBytes === undefined || bytesPerSecond === undefined || bytesPerSecond <= 0) return undefined;
  const leftMs = (Math.max(0, totalBytes - doneBytes) / bytesPerSecond) * 1000;
  return `${formatDuration(leftMs)} left`;
}

function barOf(share: number): string {
  const filled = Math.round(share * BAR_WIDTH);
  const head = filled > 0 && filled < BAR_WIDTH ? '>' : '';
  return `[${`${'='.repeat(filled - head.length)}${head}`.padEnd(BAR_WIDTH)}]`;
}
