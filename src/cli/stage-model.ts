/** What an operation's events add up to, for whoever shows them. */
import type { OperationEvent } from '../contracts/event.ts';
import type { Stage } from '../contracts/operation.ts';

interface RunningStage {
  readonly name: string;
  readonly startedAt: string;
  readonly lastLine: string | undefined;
  /** 0 to 1. */
  readonly progress: number | undefined;
}

export interface StageModel {
  readonly running: readonly RunningStage[];
  /** Last lines of the stage that wrote last. */
  readonly tail: { readonly stage: string; readonly lines: readonly string[] } | undefined;
}

const TAIL_LINES = 15;

export const NO_STAGES: StageModel = { running: [], tail: undefined };

/** The model after one more event. */
export function afterEvent(model: StageModel, event: OperationEvent): StageModel {
  switch (event.type) {
    case 'stage':
      return { ...model, running: withStage(model.running, event.stage, event.at) };
    case 'log': {
      const before = model.tail?.stage === event.stage ? model.tail.lines : [];
      return {
        running: changed(model.running, event.stage, { lastLine: event.line }),
        tail: { stage: event.stage, lines: [...before, event.line].slice(-TAIL_LINES) },
      };
    }
    case 'progress': {
      const progress = event.total > 0 ? Math.min(1, event.done / event.total) : undefined;
      return { ...model, running: changed(model.running, event.stage, { progress }) };
    }
    case 'end':
      return { ...model, running: [] };
  }
}

function withStage(running: readonly RunningStage[], stage: Stage, at: string): readonly RunningStage[] {
  const others = running.filter(({ name }) => name !== stage.name);
  if (stage.state !== 'running') return others;
  const known = running.find(({ name }) => name === stage.name);
  return [
    ...others,
    known ?? { name: stage.name, startedAt: stage.startedAt ?? at, lastLine: undefined, progress: undefined },
  ];
}

function changed(
  running: readonly RunningStage[],
  name: string,
  change: Partial<RunningStage>,
): readonly RunningStage[] {
  return running.map((stage) => (stage.name === name ? { ...stage, ...change } : stage));
}
