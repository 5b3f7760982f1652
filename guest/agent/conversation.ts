import type { AgentEvent, AgentMessage, AgentMethod, AgentPorts } from '../../src/contracts/agent-messages.ts';
import {
  AGENT_PROTOCOL,
  type AgentErrorCode,
  MAX_FRAME_BYTES,
  MAX_OPEN_REQUESTS,
  OLDEST_AGENT_PROTOCOL,
} from '../../src/contracts/agent.ts';
import { parseHostMessage, type Request } from './host-message.ts';
import { answer, type Asker, type Guest, isMethod, readBootId } from './methods.ts';
import { BadParams } from './params.ts';

const MAX_MESSAGE_LENGTH = 1000;

export interface ConversationOptions {
  readonly guest: Guest;
  /** The agent's own version. */
  readonly version: string;
  readonly openRequests: OpenRequests;
  /** Sends one frame, its newline included. */
  readonly send: (frame: Uint8Array) => void;
  readonly afterSending: (callback: () => void) => void;
}

/** Requests under way, those of all conversations together: what a hello makes one forget runs on. */
export class OpenRequests {
  #count = 0;

  /** @returns false where there are too many. */
  begin(): boolean {
    if (this.#count >= MAX_OPEN_REQUESTS) return false;
    this.#count += 1;
    return true;
  }

  end(): void {
    this.#count -= 1;
  }
}

/** What is said over one stream: sessions, one after the other. It knows nothing of how bytes travel. */
export class Conversation {
  readonly #options: ConversationOptions;
  #session: Session | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** @param line a frame without its newline. What is no message of the protocol is passed over. */
  receive(line: Uint8Array): void {
    const message = parseHostMessage(this.#options.guest.sys.decode(line));
    if (message?.type === 'hello') this.#greet(message.session, message);
    if (message?.type !== 'request') return;
    if (this.#session) this.#session.receive(message);
    else
      this.#say(refusal(message, 'no-session', 'say hello first: the agent was started anew, or its queue was full'));
  }

  /** A stream that was there before us: whoever is at its other end may take us for the agent before us. */
  hail(): void {
    this.#begin({ type: 'hail' });
  }

  /** Nobody hears it before a hello: the welcome tells it then. */
  tell(event: AgentEvent): void {
    if (this.#session) this.#say(event);
  }

  /** Ends the session: nobody is there, or nobody reads. */
  end(): void {
    this.#session?.end();
    this.#session = undefined;
  }

  #greet(session: string, range: { readonly oldest: number; readonly newest: number }): void {
    this.end();
    const { guest, version } = this.#options;
    const newest = Math.min(range.newest, AGENT_PROTOCOL);
    if (newest < Math.max(range.oldest, OLDEST_AGENT_PROTOCOL)) {
      this.#begin({ type: 'refused', session, oldest: OLDEST_AGENT_PROTOCOL, newest: AGENT_PROTOCOL });
      return;
    }
    this.#session = new Session(this.#options, (message) => this.#say(message));
    this.#begin({
      type: 'welcome',
      session,
      protocol: newest,
      agent: version,
      bootId: readBootId(guest.sys),
      stages: guest.stages.times(guest.sys.bootTimeMs()),
    });
  }

  /** Half a frame of an older session may stand before it: a newline makes that a frame of its own, and no message. */
  #begin(message: AgentMessage): void {
    this.#options.send(this.#encode(`\n${JSON.stringify(message)}\n`));
  }

  #say(message: AgentMessage): void {
    const frame = this.#encode(`${JSON.stringify(message)}\n`);
    if (frame.length <= MAX_FRAME_BYTES) this.#options.send(frame);
    else if (message.type === 'reply') this.#say(refusal(message, 'failed', 'the answer is too long'));
  }

  #encode(text: string): Uint8Array {
    return this.#options.guest.sys.encode(text);
  }
}

/**
 * From a hello to the next, or to the end of the stream. It holds no function that holds it: what QuickJS does not free
 * at once waits for a collection, and a host may say hello often.
 */
class Session implements Asker {
  readonly #options: ConversationOptions;
  readonly #send: (message: AgentMessage) => void;
  #ended = false;

  constructor(options: ConversationOptions, send: (message: AgentMessage) => void) {
    this.#options = options;
    this.#send = send;
  }

  onPorts(ports: AgentPorts): void {
    this.#say({ type: 'event', event: 'ports', ports });
  }

  afterReply(callback: () => void): void {
    const { guest, afterSending } = this.#options;
    // The reply is said when the request's own turn is over.
    guest.sys.after(0, () => afterSending(callback));
  }

  receive(request: Request): void {
    const { openRequests } = this.#options;
    if (!isMethod(request.method)) return this.#say(refusal(request, 'unknown-method', 'there is no such method'));
    if (!openRequests.begin()) {
      return this.#say(refusal(request, 'busy', `${MAX_OPEN_REQUESTS} requests are under way`));
    }
    const ended = (message: AgentMessage): void => {
      openRequests.end();
      this.#say(message);
    };
    this.#answer(request.method, request).then(ended, (error: unknown) => ended(failure(request, error)));
  }

  end(): void {
    this.#ended = true;
    this.#options.guest.portsWatch.remove(this);
  }

  #say(message: AgentMessage): void {
    if (!this.#ended) this.#send(message);
  }

  async #answer(method: AgentMethod, { id, params }: Request): Promise<AgentMessage> {
    if (!params) throw new BadParams('params is an object');
    return { type: 'reply', id, result: await answer(method, params, { guest: this.#options.guest, asker: this }) };
  }
}

function failure(request: Request, error: unknown): AgentMessage {
  const words = error instanceof Error ? error.message : String(error);
  return refusal(request, error instanceof BadParams ? 'bad-request' : 'failed', words);
}

function refusal({ id }: { readonly id: number }, code: AgentErrorCode, message: string): AgentMessage {
  return { type: 'error', id, code, message: message.slice(0, MAX_MESSAGE_LENGTH) };
}
