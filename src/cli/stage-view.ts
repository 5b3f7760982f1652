/** Shows an operation while it runs: live on a terminal, line by line elsewhere, not at all with --json. */
import type { OperationEvent } from '../contracts/event.ts';
import type { Output } from './output.ts';
import { endedStageLine, plainLine, runningStageLines } from './stage-lines.ts';
import { afterEvent, NO_STAGES, type StageModel } from './stage-model.ts';

export interface StageView extends Disposable {
  show(event: OperationEvent): void;
  /** Last lines of the stage that wrote last. */
  readonly tail: StageModel['tail'];
}

const FRAME_MS = 100;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_BELOW = '\u001b[0J';

export function stageView(output: Output): StageView {
  return output.isLive ? liveView(output) : plainView(output);
}

function plainView(output: Output): StageView {
  let model = NO_STAGES;
  return {
    show(event) {
      model = afterEvent(model, event);
      const line = output.json ? undefined : plainLine(event);
      if (line !== undefined) output.note(line);
    },
    get tail() {
      return model.tail;
    },
    [Symbol.dispose]() {},
  };
}

/** Ended stages scroll up as ordinary lines; only the running ones are drawn again, in place. */
function liveView(output: Output): StageView {
  let model = NO_STAGES;
  let drawn = 0;
  let frame = 0;
  const redraw = (above: readonly string[]): void => {
    const options = { colors: output.colors, width: output.noteWidth, now: Date.now(), frame };
    const block = runningStageLines(model, options);
    const back = drawn > 0 ? `\u001b[${drawn}A\r` : '\r';
    output.draw(`${back}${CLEAR_BELOW}${[...above, ...block].map((line) => `${line}\n`).join('')}`);
    drawn = block.length;
  };
  const timer = setInterval(() => {
    frame += 1;
    if (model.running.length > 0) redraw([]);
  }, FRAME_MS);
  output.draw(HIDE_CURSOR);
  return {
    show(event) {
      model = afterEvent(model, event);
      const ended =
        event.type === 'stage'
          ? endedStageLine(event.stage, { colors: output.colors, width: output.noteWidth })
          : undefined;
      // Log lines come by the hundred: the next frame shows the last of them.
      if (event.type !== 'log' && event.type !== 'progress') redraw(ended === undefined ? [] : [ended]);
    },
    get tail() {
      return model.tail;
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      model = { ...model, running: [] };
      redraw([]);
      output.draw(SHOW_CURSOR);
    },
  };
}
