/** Operations: everything that may take more than a second. */
import { z } from 'zod';
import { errorBodySchema } from './errors.ts';

export const OPERATION_KINDS = [
  'image.bootstrap',
  'image.build',
  'image.register',
  'image.promote',
  'image.delete',
  'vm.create',
  'vm.start',
  'vm.stop',
  'vm.restart',
  'vm.kill',
  'vm.set',
  'vm.rename',
  'vm.delete',
  'vm.prune',
] as const;

export const OPERATION_STATES = ['running', 'succeeded', 'failed', 'cancelled', 'interrupted'] as const;

const STAGE_STATES = ['pending', 'running', 'succeeded', 'failed', 'skipped', 'cancelled'] as const;

export const stageSchema = z.object({
  /** `boot`, `step:packages`: unique within the operation. */
  name: z.string(),
  state: z.enum(STAGE_STATES),
  startedAt: z.iso.datetime().optional(),
  /** Wall time, `ms`. */
  durationMs: z.number().int().nonnegative().optional(),
  /** A short word about the outcome: "reflink", "3 packages". */
  note: z.string().optional(),
});

export const operationSchema = z.object({
  id: z.string(),
  kind: z.enum(OPERATION_KINDS),
  /** Name of the image or VM it works on. */
  target: z.string(),
  state: z.enum(OPERATION_STATES),
  stages: z.array(stageSchema),
  createdAt: z.iso.datetime(),
  endedAt: z.iso.datetime().optional(),
  error: errorBodySchema.optional(),
  /** The resource it made, where it made one (an image, a VM). */
  result: z.unknown().optional(),
});

export type OperationKind = (typeof OPERATION_KINDS)[number];
export type OperationState = (typeof OPERATION_STATES)[number];
export type Stage = z.infer<typeof stageSchema>;
export type Operation = z.infer<typeof operationSchema>;

/** True once the operation can change no more. */
export function hasEnded(operation: Pick<Operation, 'state'>): boolean {
  return operation.state !== 'running';
}
