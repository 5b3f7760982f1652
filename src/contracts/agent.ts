/**
 * The guest protocol: what banger and the agent in a guest say to each other, over a virtio-serial port or vsock.
 *
 * A frame is one line of JSON in UTF-8, ended by a newline, at most `MAX_FRAME_BYTES` long. A newline never stands
 * inside a frame, so whoever comes in the middle of one, after a restart of either side, is in step again at the next.
 * Requests carry a number and are answered in any order; several may be under way at once.
 *
 * ```
 * host   {"type":"hello","session":"4f1c...","oldest":1,"newest":1}
 * agent  {"type":"welcome","session":"4f1c...","protocol":1,"agent":"0.1.0","bootId":"...","stages":{"agent":3120}}
 * agent  {"type":"event","event":"stage","stage":"network","sinceBootMs":3350}
 * agent  {"type":"event","event":"ready","stages":{"agent":3120,"network":3350,"ssh":5210}}
 * host   {"type":"request","id":1,"method":"stats","params":{}}
 * agent  {"type":"reply","id":1,"result":{...}}
 * ```
 *
 * A hello begins a session, whatever was before it: requests of an older one are forgotten, subscriptions end. What comes
 * before the welcome that bears the hello's `session` belongs to an older one and is dropped. Half a frame of an older
 * session may stand in the stream where a new one begins, so both sides send a newline before `hello` and before
 * `welcome` or `refused`; an empty line is no frame and is passed over. An agent that was started anew, or whose host
 * left too much unread, has no session: it answers requests with the error `no-session` until the next hello.
 *
 * This file has no code but constants, so that the agent, which has 1 MB in all, can share it; the schemas that banger
 * checks a guest's words with, and the types of both, are in agent-messages.ts.
 */
/** The generation that this build speaks best. A generation, once released, is frozen: test/fixtures/agent. */
export const AGENT_PROTOCOL = 1;

/** The oldest generation that this build still understands. */
export const OLDEST_AGENT_PROTOCOL = 1;

/** Longest frame in either direction, its newline included, `bytes`. */
export const MAX_FRAME_BYTES = 64 * 1024;

/** Requests that the agent works on at once; one more is answered `busy`. */
export const MAX_OPEN_REQUESTS = 64;

/** Sockets that one list of ports holds at most; where there are more it says `truncated`. */
export const MAX_LISTED_PORTS = 256;

/** Name of the virtio-serial port: /dev/virtio-ports/NAME in the guest. */
export const AGENT_PORT_NAME = 'banger.agent';

/** The agent's port on AF_VSOCK, for engines that have it. */
export const AGENT_VSOCK_PORT = 7117;

/** How far a guest has come. The agent speaks, its network is configured, its sshd listens. */
export const AGENT_STAGES = ['agent', 'network', 'ssh'] as const;

export type AgentStage = (typeof AGENT_STAGES)[number];

/** Why a request was not done. */
export const AGENT_ERROR_CODES = ['no-session', 'unknown-method', 'bad-request', 'busy', 'failed'] as const;

export type AgentErrorCode = (typeof AGENT_ERROR_CODES)[number];
