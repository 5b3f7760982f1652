import type { z } from 'zod';
import { AGENT_METHODS, agentMessageSchema, type AgentMethod } from '../../contracts/agent-messages.ts';
import { AppError } from '../../core/app-error.ts';

/** Control and format characters, halves of characters, and what ends a line. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

export type Answer =
  | { readonly kind: 'result'; readonly result: unknown }
  /** AGENT_FAILED: the agent could not do it. */
  | { readonly kind: 'refused'; readonly error: AppError }
  /** AGENT_FAILED: the frame breaks the protocol. */
  | { readonly kind: 'unreadable'; readonly error: AppError };

/** Reads the frame that bears the number of a request. Pure. */
export function readAnswer(method: AgentMethod, frame: Readonly<Record<string, unknown>>): Answer {
  const { data: message } = agentMessageSchema.safeParse(frame);
  if (message?.type === 'error') {
    const words = message.message.replaceAll(UNPRINTABLE, '?');
    const error = new AppError('AGENT_FAILED', `The agent in the guest could not do ${method}: ${words}`, {
      details: { method, agentCode: message.code },
    });
    return { kind: 'refused', error };
  }
  if (message?.type === 'reply') {
    const schema: z.ZodType = AGENT_METHODS[method].result;
    const result = schema.safeParse(message.result);
    if (result.success) return { kind: 'result', result: result.data };
  }
  const error = new AppError(
    'AGENT_FAILED',
    `The agent in the guest answered ${method} with something that cannot be read.`,
    {
      details: { method },
    },
  );
  return { kind: 'unreadable', error };
}
