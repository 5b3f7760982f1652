import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { MAX_FRAME_BYTES, MAX_OPEN_REQUESTS } from '../../contracts/agent.ts';
import type { AgentWelcome } from '../../contracts/agent-messages.ts';
import { AppError } from '../../core/app-error.ts';
import type { AgentConnector, AgentSession } from '../../core/vms/agent.ts';
import { FramedAgentSession } from './agent-session.ts';
import { AgentWire } from './agent-wire.ts';
import { parseFrame } from './frame-json.ts';
import type { FramePiece } from './frame-splitter.ts';
import { type Generations, hello, OUR_GENERATIONS, readGreeting } from './greeting.ts';

/** What an older session can have left in the stream at most: an answer to each of its requests. */
const MAX_PRELUDE_BYTES = MAX_OPEN_REQUESTS * MAX_FRAME_BYTES;

/** @param ours generations of the protocol to offer: those of this build. */
export function createAgentConnector(ours: Generations = OUR_GENERATIONS): AgentConnector {
  return { connect: (stream, signal) => connect(stream, ours, signal) };
}

async function connect(stream: Duplex, ours: Generations, signal: AbortSignal): Promise<AgentSession> {
  const wire = new AgentWire(stream);
  const onAbort = (): void => wire.end(new AppError('AGENT_UNREACHABLE', 'The agent is not waited for any longer.'));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    const welcome = await Promise.race([greet(wire, ours), wire.ended]);
    if (!wire.reason && !(welcome instanceof AppError)) return new FramedAgentSession(wire, welcome);
    signal.throwIfAborted();
    throw await wire.ended;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Settles with the welcome, after which the wire is held; never where the wire ends first. */
function greet(wire: AgentWire, ours: Generations): Promise<AgentWelcome> {
  const session = randomBytes(16).toString('hex');
  const { promise, resolve } = Promise.withResolvers<AgentWelcome>();
  let preludeBytes = 0;
  const take = (piece: FramePiece): void => {
    preludeBytes += piece.sizeBytes;
    // Broken lines are none of this session's: an older one may have ended in the middle of a frame.
    const frame = piece.kind === 'line' ? parseFrame(piece.bytes) : undefined;
    const greeting = frame && readGreeting(frame, session, ours);
    if (greeting instanceof AppError) {
      wire.end(greeting);
    } else if (greeting) {
      wire.hold();
      resolve(greeting);
    } else if (preludeBytes > MAX_PRELUDE_BYTES) {
      wire.end(new AppError('AGENT_FAILED', `The guest sent ${preludeBytes} bytes and no answer to our greeting.`));
    }
  };
  wire.send(hello(session, ours));
  wire.readWith(take);
  return promise;
}
