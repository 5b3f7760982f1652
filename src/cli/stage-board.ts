/** Shows several operations at once: a line each on a terminal, prefixed lines elsewhere, nothing with --json. */
import type { OperationEvent } from '../contracts/event.ts';
import type { Output } from './output.ts';
import { boardLine, plainLine } from './stage-lines.ts';
import { afterEvent, NO_STAGES, type StageModel } from './stage-model.ts';
import type { StageView } from './stage-view.ts';

const FRAME_MS = 100;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_BELOW = '\u001b[0J';

export interface StageBoard extends Disposable {
  /** The view of one of them. */
  viewOf(name: string): StageView;
}

interface Row {
  model: StageModel;
  /** What its last stage was, once it has ended. */
  outcome: string | undefined;
}

export function stageBoard(output: Output, names: readonly string[]): StageBoard {
  const rows = new Map<string, Row>(names.map((name) => [name, { model: NO_STAGES, outcome: undefined }]));
  const board = output.isLive ? new LiveBoard(output, rows) : undefined;
  return {
    viewOf: (name) => ({
      show(event) {
        const row = rows.get(name);
        if (!row) return;
        row.model = afterEvent(row.model, event);
        if (event.type === 'end') row.outcome = event.operation.state;
        if (!board && !output.json) showPlainly(output, name, event);
      },
      get tail() {
        return rows.get(name)?.model.tail;
      },
      [Symbol.dispose]() {},
    }),
    [Symbol.dispose]() {
      board?.end();
    },
  };
}

function showPlainly(output: Output, name: string, event: OperationEvent): void {
  const line = plainLine(event);
  if (line !== undefined) output.note(`${name}: ${line}`);
}

/** Redrawn in place until its end, when it is left as it is. */
class LiveBoard {
  readonly #output: Output;
  readonly #rows: ReadonlyMap<string, Row>;
  readonly #timer: NodeJS.Timeout;
  #frame = 0;
  #isDrawn = false;

  constructor(output: Output, rows: ReadonlyMap<string, Row>) {
    this.#output = output;
    this.#rows = rows;
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
    output.draw(HIDE_CURSOR);
    this.#draw();
  }

  end(): void {
    clearInterval(this.#timer);
    this.#draw();
    this.#output.draw(SHOW_CURSOR);
  }

  #draw(): void {
    const { colors, noteWidth: width } = this.#output;
    const nameWidth = Math.max(...[...this.#rows.keys()].map(({ length }) => length));
    const options = { colors, width, nameWidth, now: Date.now(), frame: this.#frame };
    const lines = [...this.#rows].map(([name, { model, outcome }]) =>
      boardLine({ name, running: model.running.at(-1), outcome }, options),
    );
    const back = this.#isDrawn ? `\u001b[${this.#rows.size}A\r` : '';
    this.#output.draw(`${back}${CLEAR_BELOW}${lines.map((line) => `${line}\n`).join('')}`);
    this.#isDrawn = true;
    this.#frame += 1;
  }
}
