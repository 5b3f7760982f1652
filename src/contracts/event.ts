/** Events: what happens to operations and resources, in order, as server-sent events. */
import { z } from 'zod';
import { operationSchema, stageSchema } from './operation.ts';

/** What one operation's stream carries. `id` of the SSE frame is the sequence number within the operation. */
export const operationEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('stage'), at: z.iso.datetime(), stage: stageSchema }),
  /** One line of output, without its newline; `stage` is the stage that wrote it. */
  z.object({ type: z.literal('log'), at: z.iso.datetime(), stage: z.string(), line: z.string() }),
  /** Progress within a stage: `done` of `total` units, for example bytes. */
  z.object({
    type: z.literal('progress'),
    at: z.iso.datetime(),
    stage: z.string(),
    done: z.number().nonnegative(),
    total: z.number().nonnegative(),
  }),
  /** The last event of every stream. */
  z.object({ type: z.literal('end'), at: z.iso.datetime(), operation: operationSchema }),
]);

export type OperationEvent = z.infer<typeof operationEventSchema>;

/** What the stream of everything carries: a resource changed; fetch it for its new content. */
export const resourceEventSchema = z.object({
  at: z.iso.datetime(),
  resource: z.enum(['operation', 'image', 'vm']),
  name: z.string(),
  change: z.enum(['created', 'updated', 'deleted']),
});

export type ResourceEvent = z.infer<typeof resourceEventSchema>;
