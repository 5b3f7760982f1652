import { Undo } from '../src/core/undo.ts';

/** Work that takes back everything it made, whether it succeeds, fails or is interrupted. */
export async function withUndo<Result>(work: (undo: Undo) => Promise<Result>): Promise<Result> {
  const undo = new Undo();
  let result: Result;
  try {
    result = await work(undo);
  } catch (error) {
    throw await undo.after(error);
  }
  const failures = await undo.run();
  if (failures.length > 0) throw new AggregateError(failures, failures[0]?.message);
  return result;
}
