/** What `vm exec` may ask for, as a schema. The frames it travels in are those of exec-stream.ts. */
import { z } from 'zod';
import type { ExecRequest } from './exec-stream.ts';

/** The kernel takes no longer argument (MAX_ARG_STRLEN in execve(2)), and the guest's shell gets all as one. */
const MAX_TEXT_LENGTH = 128 * 1024;

const textSchema = z
  .string()
  .max(MAX_TEXT_LENGTH)
  .refine((text) => !text.includes('\0'), 'holds a NUL byte')
  .refine((text) => text.isWellFormed(), 'is no well-formed Unicode');

/** A login name as useradd(8) takes it. */
const userSchema = z.string().regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'give the name of a user in the guest');

const guestPathSchema = textSchema
  .max(4095)
  .refine((path) => path.startsWith('/'), 'give an absolute path in the guest, such as /root');

const sizeSchema = z.number().int().min(0).max(65_535);

export const execRequestSchema: z.ZodType<ExecRequest> = z.strictObject({
  command: z.array(textSchema).min(1).max(4096),
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'give the name of a variable'), textSchema).optional(),
  workdir: guestPathSchema.optional(),
  user: userSchema.optional(),
  terminal: z
    .strictObject({
      type: z.string().regex(/^[A-Za-z0-9._+-]{0,64}$/, 'give the name of a terminal'),
      columns: sizeSchema,
      rows: sizeSchema,
    })
    .optional(),
});
