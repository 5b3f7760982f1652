import type { StepName } from '../../contracts/build.ts';
import { AppError } from '../app-error.ts';

/** A source that failed, told with the step that needs it and the way to build without. Other errors stay as they are. */
export function sourceErrorOfStep(error: unknown, step: StepName): unknown {
  if (!(error instanceof AppError) || error.code !== 'SOURCE_UNREACHABLE') return error;
  return new AppError(error.code, error.message, {
    hint: `Set a mirror under [sources] in the config, or leave the step out: --without ${step}.`,
    details: { ...error.details, step },
    cause: error,
  });
}
