/** The beginning of a session, and the one place where two generations of the protocol meet. Pure. */
import { AGENT_PROTOCOL, OLDEST_AGENT_PROTOCOL } from '../../contracts/agent.ts';
import { agentMessageSchema, type AgentWelcome, type HostMessage } from '../../contracts/agent-messages.ts';
import { AppError } from '../../core/app-error.ts';

/** Generations of the protocol that one side speaks, both ends included. */
export interface Generations {
  readonly oldest: number;
  readonly newest: number;
}

export const OUR_GENERATIONS: Generations = { oldest: OLDEST_AGENT_PROTOCOL, newest: AGENT_PROTOCOL };

export function hello(session: string, ours: Generations): HostMessage {
  return { type: 'hello', session, oldest: ours.oldest, newest: ours.newest };
}

/**
 * Reads a frame that comes after our hello.
 *
 * @returns the welcome; an error AGENT_FAILED where there is no hope for one; undefined where the frame belongs to an
 * older session.
 */
export function readGreeting(
  frame: Readonly<Record<string, unknown>>,
  session: string,
  ours: Generations,
): AgentWelcome | AppError | undefined {
  if ((frame['type'] !== 'welcome' && frame['type'] !== 'refused') || frame['session'] !== session) return undefined;
  const { data: message } = agentMessageSchema.safeParse(frame);
  if (message?.type === 'refused') return noCommonGeneration(ours, message);
  if (message?.type !== 'welcome') {
    return new AppError(
      'AGENT_FAILED',
      'The agent in the guest answered our greeting with something that cannot be read.',
    );
  }
  // The agent chooses, and only from what we offered.
  const { protocol } = message;
  if (protocol < ours.oldest || protocol > ours.newest) {
    return noCommonGeneration(ours, { oldest: protocol, newest: protocol });
  }
  return message;
}

function noCommonGeneration(ours: Generations, theirs: Generations): AppError {
  return new AppError(
    'AGENT_FAILED',
    `banger speaks ${inWords(ours)} of the guest protocol, the agent in the guest ${inWords(theirs)}.`,
    {
      hint:
        theirs.oldest > ours.newest
          ? 'The image was made by a newer banger: use that one.'
          : 'The image was made by another banger: build it again.',
      details: { ours, theirs: { oldest: theirs.oldest, newest: theirs.newest } },
    },
  );
}

function inWords({ oldest, newest }: Generations): string {
  return oldest === newest ? `generation ${newest}` : `generations ${oldest} to ${newest}`;
}
