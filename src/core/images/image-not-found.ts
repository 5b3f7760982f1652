import { AppError } from '../app-error.ts';
import { nameHint } from '../name-hint.ts';

/** @param source of the name, where it is not the caller's own: "default_image_name in the config". */
export function imageNotFound(name: string, known: readonly string[], source?: string): AppError {
  const whose = source === undefined ? '' : `, which ${source} names`;
  return new AppError('IMAGE_NOT_FOUND', `There is no image "${name}"${whose}.`, {
    hint: nameHint(name, known, {
      all: 'Images there are',
      none: 'Make a first one: banger image bootstrap debian',
    }),
  });
}
