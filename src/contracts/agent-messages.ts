/**
 * Schemas of the guest protocol (agent.ts says what it is). Everything that a guest sends is checked by them: it is
 * hostile, so every text and every list has a bound. Fields that are not known are left out, so that an agent may learn
 * to say more within a generation.
 */
import { z } from 'zod';
import { AGENT_ERROR_CODES, AGENT_STAGES, MAX_LISTED_PORTS } from './agent.ts';

const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const portNumber = z.number().int().min(1).max(65535);
const session = z.string().regex(/^[0-9a-f]{16,64}$/);
const requestId = z.number().int().min(1).max(0xffff_ffff);
const protocol = z.number().int().min(1).max(10_000);
/** /proc/sys/kernel/random/boot_id. */
const bootId = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const ipAddress = z.union([z.ipv4(), z.ipv6()]);

/** `ms` from the guest's boot to the moment; absent where it has not come. The agent's own is always there. */
const stagesSchema = z.object({ agent: count, network: count.optional(), ssh: count.optional() });

const listeningPortSchema = z.object({
  protocol: z.enum(['tcp', 'udp']),
  /** What it is bound to: `0.0.0.0` and `::` are every address. */
  address: ipAddress,
  port: portNumber,
  /** Name of a process that has it open, as /proc/PID/comm has it (15 bytes); absent where none was found. */
  process: z.string().max(64).optional(),
  pid: z.number().int().positive().optional(),
});

const portsSchema = z.object({
  listening: z.array(listeningPortSchema).max(MAX_LISTED_PORTS),
  /** There are more than were listed. */
  truncated: z.boolean(),
});

const nothing = z.object({});

/** Every request: what it takes, what it gives. */
export const AGENT_METHODS = {
  /** Is it well, and how far has the guest come? */
  health: { params: nothing, result: z.object({ uptimeMs: count, stages: stagesSchema }) },
  /** Every TCP socket that listens, every UDP socket that is bound and connected to nothing. */
  ports: { params: nothing, result: portsSchema },
  /** With `enabled`, an event `ports` at once and after each change, until a new hello or `enabled: false`. */
  watchPorts: { params: z.object({ enabled: z.boolean() }), result: nothing },
  stats: {
    params: nothing,
    result: z.object({
      uptimeMs: count,
      /** Averages over 1, 5 and 15 minutes, as /proc/loadavg has them. */
      load: z.tuple([z.number().nonnegative(), z.number().nonnegative(), z.number().nonnegative()]),
      /** Processor time since boot, over all processors, `ms`: busy, and busy and idle together. */
      cpu: z.object({ busyMs: count, totalMs: count }),
      memory: z.object({ totalBytes: count, availableBytes: count, swapTotalBytes: count, swapFreeBytes: count }),
      /** The root filesystem first, then others on block devices. */
      disks: z.array(z.object({ path: z.string().max(256), totalBytes: count, availableBytes: count })).max(16),
    }),
  },
  /** Writes every dirty page to the disks; answers when it is done. */
  sync: { params: nothing, result: z.object({ tookMs: count }) },
  /** Sets the guest's clock: after a restore it stands at the moment of the snapshot. */
  setClock: { params: z.object({ epochMs: count }), result: nothing },
  setHostname: {
    params: z.object({ hostname: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/) }),
    result: nothing,
  },
  /** Gives the first network card another address, and the routes and name servers that go with it. */
  setAddress: {
    params: z.object({
      address: z.ipv4(),
      prefixLength: z.number().int().min(1).max(30),
      gateway: z.ipv4(),
      nameServers: z.array(z.ipv4()).max(3),
    }),
    result: nothing,
  },
  /** Answers, then powers off as `systemctl poweroff` does: services are stopped, filesystems written. */
  powerOff: { params: nothing, result: nothing },
  bootId: { params: nothing, result: z.object({ bootId }) },
} as const;

const methodNames = Object.keys(AGENT_METHODS) as [keyof typeof AGENT_METHODS, ...(keyof typeof AGENT_METHODS)[]];

export const hostMessageSchema = z.discriminatedUnion('type', [
  /** Begins a session; the agent chooses the newest generation that both know. */
  z.object({ type: z.literal('hello'), session, oldest: protocol, newest: protocol }),
  z.object({
    type: z.literal('request'),
    id: requestId,
    method: z.enum(methodNames),
    params: z.record(z.string(), z.unknown()),
  }),
]);

export const agentMessageSchema = z.discriminatedUnion('type', [
  /** An agent that has just opened a stream which outlives it: whoever is at the other end greets it, anew where it had. */
  z.object({ type: z.literal('hail') }),
  z.object({
    type: z.literal('welcome'),
    session,
    protocol,
    /** The agent's own version. */
    agent: z.string().max(64),
    bootId,
    stages: stagesSchema,
  }),
  /** No generation that both know: what the agent does know. */
  z.object({ type: z.literal('refused'), session, oldest: protocol, newest: protocol }),
  z.object({ type: z.literal('reply'), id: requestId, result: z.record(z.string(), z.unknown()) }),
  z.object({ type: z.literal('error'), id: requestId, code: z.enum(AGENT_ERROR_CODES), message: z.string().max(1000) }),
  z.discriminatedUnion('event', [
    z.object({ type: z.literal('event'), event: z.literal('stage'), stage: z.enum(AGENT_STAGES), sinceBootMs: count }),
    /** Network and sshd are there; sent once in an agent's life, and told again by a later welcome's `stages`. */
    z.object({ type: z.literal('event'), event: z.literal('ready'), stages: stagesSchema.required() }),
    z.object({ type: z.literal('event'), event: z.literal('ports'), ports: portsSchema }),
  ]),
]);

export type HostMessage = z.infer<typeof hostMessageSchema>;
export type AgentMessage = z.infer<typeof agentMessageSchema>;
export type AgentEvent = Extract<AgentMessage, { readonly type: 'event' }>;
export type AgentWelcome = Extract<AgentMessage, { readonly type: 'welcome' }>;

export type AgentMethod = keyof typeof AGENT_METHODS;
export type AgentParams<Method extends AgentMethod> = z.infer<(typeof AGENT_METHODS)[Method]['params']>;
export type AgentResult<Method extends AgentMethod> = z.infer<(typeof AGENT_METHODS)[Method]['result']>;

export type AgentStats = AgentResult<'stats'>;
export type AgentPorts = AgentResult<'ports'>;
export type ListeningPort = AgentPorts['listening'][number];
