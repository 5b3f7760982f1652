/** VMs: durable intent (the spec) and what is true now (the state). */
import { z } from 'zod';
import { AGENT_METHODS } from './agent-messages.ts';
import { MAX_DISK_BYTES, MIN_DISK_BYTES } from './build.ts';
import { egressSchema } from './egress.ts';
import { nameSchema } from './name.ts';
import { workspaceSchema } from './workspace.ts';

export const ENGINE_NAMES = ['qemu', 'firecracker'] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

export const ACCELERATORS = ['kvm', 'tcg'] as const;
export type Accelerator = (typeof ACCELERATORS)[number];

export const VM_STATES = ['creating', 'stopped', 'starting', 'running', 'stopping', 'deleting', 'failed'] as const;
export type VmState = (typeof VM_STATES)[number];

export const MAX_CPUS = 64;
export const MIN_MEMORY_BYTES = 128 * 2 ** 20;
export const MAX_MEMORY_BYTES = 2 ** 40;

/** Where a value of a VM came from. `unknown`: it was made by a banger that did not write that down. */
export const VALUE_ORIGINS = ['flag', 'config', 'host', 'image', 'unknown'] as const;
export type ValueOrigin = (typeof VALUE_ORIGINS)[number];

export const vmOriginsSchema = z.object({
  cpus: z.enum(VALUE_ORIGINS),
  memory: z.enum(VALUE_ORIGINS),
  disk: z.enum(VALUE_ORIGINS),
});

export type VmOrigins = z.infer<typeof vmOriginsSchema>;

export const vmSchema = z.object({
  id: z.string(),
  name: nameSchema,
  state: z.enum(VM_STATES),
  imageName: z.string(),
  cpus: z.number().int(),
  memoryBytes: z.number().int(),
  diskBytes: z.number().int(),
  origins: vmOriginsSchema,
  /** What it runs with now, where that was changed since it was started. */
  running: z.object({ cpus: z.number().int(), memoryBytes: z.number().int() }).optional(),
  /** Whether it reaches anything outside: its egress policy is not `none`. */
  nat: z.boolean(),
  /** What it may reach outside: `none`, `open`, or `allow:` and hosts and networks, with commas. */
  egress: z.string(),
  /** VMs that it may talk to, and that may talk to it. */
  peers: z.array(nameSchema),
  /** Connections that it tried and was refused since it was started; in the reply for one VM that runs. */
  refused: z
    .object({
      connections: z.number().int().nonnegative(),
      /** The last one: `tcp 192.0.2.7:443`, `the name example.org`. */
      last: z.string().optional(),
    })
    .optional(),
  /** Why it has no network although it runs; in the reply for one VM. */
  networkProblem: z.string().optional(),
  address: z.ipv4(),
  macAddress: z.string(),
  tapName: z.string(),
  createdAt: z.iso.datetime(),
  /** File with what the guest has written to its console since its last start; on the host. */
  consolePath: z.string(),
  /** Set while it runs. */
  startedAt: z.iso.datetime().optional(),
  engine: z.enum(ENGINE_NAMES).optional(),
  accelerator: z.enum(ACCELERATORS).optional(),
  /** Pid of the VMM. */
  pid: z.number().int().optional(),
  /** Version of the agent in the guest; set while one answers. */
  agentVersion: z.string().optional(),
  /** Why the state is `failed`. */
  stateReason: z.string().optional(),
  /** The VM is removed when it stops. */
  ephemeral: z.boolean(),
  /** Set where a repository was brought into it. */
  workspace: workspaceSchema.optional(),
});

export type Vm = z.infer<typeof vmSchema>;

const MAX_PEERS = 64;
const peersSchema = z
  .array(nameSchema)
  .max(MAX_PEERS)
  .describe('VMs that it may talk to, and that may talk to it, until one of both is deleted.');

/** `nat` is the short form of two policies, and must not say another thing than `egress`. */
function refuseContradiction(
  { nat, egress }: { readonly nat?: boolean | undefined; readonly egress?: string | undefined },
  context: z.RefinementCtx,
): void {
  if (nat === undefined || egress === undefined) return;
  const said = nat ? 'open' : 'none';
  if (said === egress) return;
  const message = `contradicts ${nat ? 'nat' : 'no nat'}, which is short for ${said}`;
  context.addIssue({ code: 'custom', path: ['egress'], message });
}

const cpusSchema = z.number().int().min(1).max(MAX_CPUS);
const memoryBytesSchema = z.number().int().min(MIN_MEMORY_BYTES).max(MAX_MEMORY_BYTES);
const diskBytesSchema = z.number().int().min(MIN_DISK_BYTES).max(MAX_DISK_BYTES);

export const createVmRequestSchema = z
  .strictObject({
    name: nameSchema.optional().describe('Left out, one is made up.'),
    image: nameSchema.optional().describe('Left out: the config’s `default_image_name`.'),
    cpus: cpusSchema.optional().describe('Left out: the config’s, else a share of the host’s.'),
    memoryBytes: memoryBytesSchema.optional().describe('Left out: the config’s, else a share of the host’s.'),
    diskBytes: diskBytesSchema
      .optional()
      .describe('Size of the root disk, never less than the image’s. Left out: the config’s, else the image’s.'),
    nat: z.boolean().optional().describe('Short for `egress`: true is `open`, false is `none`.'),
    egress: egressSchema
      .optional()
      .describe('What the guest reaches outside: `none`, `open`, or `allow:HOST,NETWORK,...`. Left out: `none`.'),
    peers: peersSchema.default([]),
    start: z.boolean().default(true).describe('Start it, and wait until it is ready.'),
    ephemeral: z.boolean().default(false).describe('Remove the VM when it stops.'),
    leased: z
      .boolean()
      .default(false)
      .describe(
        'Delete the VM when nobody holds its lease: after a minute without one, and as soon as the last one ends.',
      ),
    workspace: workspaceSchema.optional().describe('The repository that the caller brings into it.'),
  })
  .superRefine(refuseContradiction);

export type CreateVmRequest = z.infer<typeof createVmRequestSchema>;

export const setVmRequestSchema = z
  .strictObject({
    cpus: cpusSchema.optional().describe('From the next start on.'),
    memoryBytes: memoryBytesSchema.optional().describe('From the next start on.'),
    diskBytes: diskBytesSchema
      .optional()
      .describe('Never less than it is. At once where the VM is stopped, else at its next start.'),
    nat: z.boolean().optional().describe('Short for `egress`: true is `open`, false is `none`.'),
    egress: egressSchema.optional().describe('At once, also for connections that are open.'),
    peers: peersSchema
      .optional()
      .describe('All of them: those it had before and that are not named are so no more. At once.'),
  })
  .superRefine(refuseContradiction);

export type SetVmRequest = z.infer<typeof setVmRequestSchema>;

/** What `vm set` has changed, and when that takes effect. */
export const vmChangeSchema = z.object({
  what: z.enum(['cpus', 'memory', 'disk', 'egress', 'peers']),
  /** Names of peers, with commas between them. */
  from: z.union([z.number(), z.string()]),
  to: z.union([z.number(), z.string()]),
  takesEffect: z.enum(['now', 'next start']),
});

export type VmChange = z.infer<typeof vmChangeSchema>;

export const setVmResultSchema = z.object({ vm: vmSchema, changes: z.array(vmChangeSchema) });

export type SetVmResult = z.infer<typeof setVmResultSchema>;

/** Signals that end a VMM; no other is sent to one. */
export const KILL_SIGNALS = ['KILL', 'TERM', 'INT', 'HUP', 'QUIT'] as const;
export type KillSignal = (typeof KILL_SIGNALS)[number];

export const killVmRequestSchema = z.strictObject({
  signal: z.enum(KILL_SIGNALS).default('KILL').describe('Sent to the VMM; the guest hears nothing of it.'),
});

export const renameVmRequestSchema = z.strictObject({ name: nameSchema.describe('The new name.') });

export const pruneVmsResultSchema = z.object({
  deleted: z.array(nameSchema),
  /** Space that their disks had taken. */
  freedBytes: z.number().int().nonnegative(),
});

export type PruneVmsResult = z.infer<typeof pruneVmsResultSchema>;

const usageSchema = z.number().int().nonnegative();

/** What a VM uses. */
export const vmStatsSchema = z.object({
  name: nameSchema,
  state: z.enum(VM_STATES),
  at: z.iso.datetime(),
  cpus: z.number().int(),
  memoryBytes: usageSchema,
  diskBytes: usageSchema,
  /** Blocks that its disk occupies on the host. */
  diskAllocatedBytes: usageSchema,
  /** The VMM as the host sees it; while it runs. */
  vmm: z.object({ cpuMs: usageSchema, residentBytes: usageSchema }).optional(),
  /** What the guest says of itself; where its agent answers. It is the guest's word. */
  guest: AGENT_METHODS.stats.result.optional(),
});

export type VmStats = z.infer<typeof vmStatsSchema>;

/** What the system's `ssh` needs to reach a VM; all paths are on the host. */
export const sshAccessSchema = z.object({
  vmName: nameSchema,
  user: z.string(),
  identityPath: z.string(),
  knownHostsPath: z.string(),
  /** Name under which the host key stands in `knownHostsPath`. */
  hostKeyAlias: z.string(),
});

export type SshAccess = z.infer<typeof sshAccessSchema>;
