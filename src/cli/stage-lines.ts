/** Stages as lines: pure, so that every width and state can be tested. */
import type { OperationEvent } from '../contracts/event.ts';
import type { Stage } from '../contracts/operation.ts';
import type { Colors } from './output.ts';
import type { StageModel } from './stage-model.ts';
import { cut, formatDuration, outputLine, visible } from './terminal-text.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const NAME_WIDTH = 16;
const TIME_WIDTH = 12;

interface LineOptions {
  readonly colors: Colors;
  /** Columns of the terminal. */
  readonly width: number;
}

/** The line that stays on the terminal when a stage has ended; undefined while it has not. */
export function endedStageLine(stage: Stage, { colors, width }: LineOptions): string | undefined {
  const marks = {
    succeeded: colors.green('✔'),
    failed: colors.red('✘'),
    cancelled: colors.yellow('■'),
    skipped: colors.dim('-'),
  };
  if (stage.state === 'pending' || stage.state === 'running') return undefined;
  const word = { succeeded: '', failed: 'failed', cancelled: 'cancelled', skipped: 'skipped' }[stage.state];
  const note = [word, stage.note ?? ''].filter(Boolean).join(': ');
  return `${marks[stage.state]} ${stageText(stage.name, { durationMs: stage.durationMs, note, width, colors })}`;
}

/** The lines that are drawn again and again while stages run. */
export function runningStageLines(
  model: StageModel,
  { colors, width, now, frame }: LineOptions & { readonly now: number; readonly frame: number },
): readonly string[] {
  const mark = FRAMES[frame % FRAMES.length] ?? '';
  return model.running.flatMap((stage) => {
    const note = stage.progress === undefined ? '' : `${Math.floor(stage.progress * 100)} %`;
    const durationMs = Math.max(0, now - Date.parse(stage.startedAt));
    const head = `${colors.cyan(mark)} ${stageText(stage.name, { durationMs, note, width, colors })}`;
    if (stage.lastLine === undefined) return [head];
    return [head, colors.dim(`  ${cut(outputLine(stage.lastLine), width - 3)}`)];
  });
}

/** One of several operations in one line: its name, and the stage it is in. */
export function boardLine(
  row: {
    readonly name: string;
    readonly running: StageModel['running'][number] | undefined;
    /** State of the operation, once it has ended. */
    readonly outcome: string | undefined;
  },
  options: LineOptions & { readonly nameWidth: number; readonly now: number; readonly frame: number },
): string {
  const { colors, now, frame } = options;
  const width = options.width - 3;
  const name = row.name.padEnd(Math.min(options.nameWidth, Math.floor(width / 2)));
  const { running, outcome } = row;
  if (outcome !== undefined) {
    const mark = outcome === 'succeeded' ? colors.green('✔') : colors.red('✘');
    return `${mark} ${cut(outcome === 'succeeded' ? name : `${name}  ${outcome}`, width)}`;
  }
  const mark = colors.cyan(FRAMES[frame % FRAMES.length] ?? '');
  if (!running) return `${mark} ${cut(name, width)}`;
  const took = formatDuration(Math.max(0, now - Date.parse(running.startedAt)));
  return `${mark} ${cut(`${name}  ${visible(running.name)}  ${took}`, width)}`;
}

function stageText(
  name: string,
  facts: {
    readonly durationMs: number | undefined;
    readonly note: string;
    readonly width: number;
    readonly colors: Colors;
  },
): string {
  const time = facts.durationMs === undefined ? '' : formatDuration(facts.durationMs);
  // Two columns are taken by the mark, the last one stays free: some terminals wrap when it is written.
  const text = `${cut(visible(name), NAME_WIDTH).padEnd(NAME_WIDTH)} ${time.padStart(TIME_WIDTH)}`;
  const note = cut(visible(facts.note), facts.width - 3 - text.length - 2);
  return note ? `${text}  ${facts.colors.dim(note)}` : text;
}

/** An event as plain text for a log or a pipe; undefined for what is not worth a line. */
export function plainLine(event: OperationEvent): string | undefined {
  const time = event.at.slice(11, 19);
  switch (event.type) {
    case 'log':
      return `${time} ${visible(event.stage)} | ${outputLine(event.line)}`;
    case 'stage': {
      const { name, state, durationMs, note } = event.stage;
      if (state === 'pending') return undefined;
      const took = durationMs === undefined || state === 'running' ? '' : ` in ${formatDuration(durationMs)}`;
      return `${time} ${visible(name)}: ${state}${took}${note ? ` (${visible(note)})` : ''}`;
    }
    case 'progress':
    case 'end':
      return undefined;
  }
}
