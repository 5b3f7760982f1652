import type { z } from 'zod';
import { AppError, describe } from '../../core/app-error.ts';

/**
 * Reads a record kept as JSON text.
 *
 * @param what names it in the error: "image img-1a2b3c4d5e".
 * @throws AppError STORE_FAILED where the text does not fit the schema.
 */
export function parseRecord<Schema extends z.ZodType>(schema: Schema, text: unknown, what: string): z.output<Schema> {
  let problem: string;
  try {
    const result = schema.safeParse(JSON.parse(String(text)));
    if (result.success) return result.data;
    const [issue] = result.error.issues;
    problem = `${issue?.path.join('.') || 'record'}: ${issue?.message}`;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    problem = describe(error);
  }
  throw new AppError('STORE_FAILED', `The record of ${what} is damaged: ${problem}`, {
    hint: 'Please report it; a copy of the database from before the last upgrade may lie beside it.',
    details: { what, problem },
  });
}
