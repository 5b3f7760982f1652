/**
 * The guest protocol: what banger and the agent in a guest say to each other, over a virtio-serial port or vsock.
 *
 * A frame is one line of JSON in UTF-8, ended by a newline, at most `MAX_FRAME_BYTES` long. A newline never stands
 * inside a frame, so whoever comes in the middle of one, after a restart of either side, is in step again at the next.
 * An empty line is no frame and means nothing; each side puts one before the first frame of a session, the hello and the
 * welcome, so that it is not swallowed by what a process that was killed had left half said.
 * Requests carry a number and are answered in any order; several may be under way at once.
 *
 * ```
 * agent  {"type":"hail"}
 * host   {"type":"hello","session":"4f1c...","oldest":1,"newest":1}
 * agent  {"type":"welcome","session":"4f1c...","protocol":1,"agent":"0.1.0","bootId":"...","stages":{"agent":3120}}
 * agent  {"type":"event","event":"stage","stage":"network","sinceBootMs":3350}
 * agent  {"type":"event","event":"ready","stages":{"agent":3120,"network":3350,"ssh":5210}}
 * host   {"type":"request","id":1,"method":"stats","params":{}}
 * agent  {"type":"reply","id":1,"result":{...}}
 * ```
 *
 * A hello begins a session, whatever was before it: requests of an older one are forgotten, subscriptions end. What comes
 * before the welcome that bears the hello's `session` belongs to an older one and is dropped. An agent that has opened a
 * stream which outlives it, a virtio-serial port, hails: it may have been started anew, and whoever is there greets it
 * again. One that has no session, since its host left too much unread, answers requests with the error `no-session`.
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

/**
 * The kernel argument of a machine that ends by a reboot and by nothing else; an agent that is asked to power off reboots
 * it. The kernel has no use for it: a word with a dot is taken for a module's parameter.
 */
export const POWER_OFF_BY_REBOOT = 'banger.poweroff=reboot';

/** The agent's only argument where it is the first program of a probe guest, which exists to say `PROBE_LINE`. */
export const PROBE_ARGUMENT = '--probe';

/** What such a guest says on its console before it resets itself: programs run in it. */
export const PROBE_LINE = 'banger-probe: the guest runs programs';

/** How far a guest has come. The agent speaks, its network is configured, its sshd listens. */
export const AGENT_STAGES = ['agent', 'network', 'ssh'] as const;

export type AgentStage = (typeof AGENT_STAGES)[number];

/** Why a request was not done. */
export const AGENT_ERROR_CODES = ['no-session', 'unknown-method', 'bad-request', 'busy', 'failed'] as const;

export type AgentErrorCode = (typeof AGENT_ERROR_CODES)[number];
