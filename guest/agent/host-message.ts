/** What a host says, checked by hand: the schemas of agent-messages.ts would take more than the agent has. */
import type { HostMessage } from '../../src/contracts/agent-messages.ts';

type Hello = Extract<HostMessage, { readonly type: 'hello' }>;

export interface Request {
  readonly type: 'request';
  readonly id: number;
  /** Not yet known to be one. */
  readonly method: string;
  /** Undefined where it is no object. */
  readonly params: Record<string, unknown> | undefined;
}

const SESSION = /^[0-9a-f]{16,64}$/;
const MAX_GENERATION = 10_000;
const MAX_REQUEST_ID = 0xffff_ffff;

/** @returns undefined for what is no message, or one that nobody could answer. */
export function parseHostMessage(text: string): Hello | Request | undefined {
  const message = parseObject(text);
  switch (message?.['type']) {
    case 'hello': {
      const { session, oldest, newest } = message;
      if (typeof session !== 'string' || !SESSION.test(session)) return undefined;
      if (!isInteger(oldest, 1, MAX_GENERATION) || !isInteger(newest, 1, MAX_GENERATION)) return undefined;
      return { type: 'hello', session, oldest, newest };
    }
    case 'request': {
      const { id, method, params } = message;
      if (!isInteger(id, 1, MAX_REQUEST_ID)) return undefined;
      return { type: 'request', id, method: typeof method === 'string' ? method : '', params: asObject(params) };
    }
    default:
      return undefined;
  }
}

export function isInteger(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch (error) {
    // Broken, or nested deeper than the stack is: not from a host of ours.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}
