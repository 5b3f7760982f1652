/** VMs: durable intent (the spec) and what is true now (the state). */
import { z } from 'zod';
import { MAX_DISK_BYTES, MIN_DISK_BYTES } from './build.ts';
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

export const vmSchema = z.object({
  id: z.string(),
  name: nameSchema,
  state: z.enum(VM_STATES),
  imageName: z.string(),
  cpus: z.number().int(),
  memoryBytes: z.number().int(),
  diskBytes: z.number().int(),
  nat: z.boolean(),
  address: z.ipv4(),
  macAddress: z.string(),
  tapName: z.string(),
  createdAt: z.iso.datetime(),
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

export const createVmRequestSchema = z.strictObject({
  name: nameSchema.optional().describe('Left out, one is made up.'),
  image: nameSchema.optional().describe('Left out: the config’s `default_image_name`.'),
  cpus: z.number().int().min(1).max(MAX_CPUS).optional().describe('Left out: the config’s.'),
  memoryBytes: z
    .number()
    .int()
    .min(MIN_MEMORY_BYTES)
    .max(MAX_MEMORY_BYTES)
    .optional()
    .describe('Left out: the config’s.'),
  diskBytes: z
    .number()
    .int()
    .min(MIN_DISK_BYTES)
    .max(MAX_DISK_BYTES)
    .optional()
    .describe('Size of the root disk, never less than the image’s. Left out: the config’s, else the image’s.'),
  nat: z.boolean().default(false).describe('Whether the guest reaches the outside.'),
  start: z.boolean().default(true).describe('Start it, and wait until it is ready.'),
  ephemeral: z.boolean().default(false).describe('Remove the VM when it stops.'),
  leased: z
    .boolean()
    .default(false)
    .describe(
      'Delete the VM when nobody holds its lease: after a minute without one, and as soon as the last one ends.',
    ),
  workspace: workspaceSchema.optional().describe('The repository that the caller brings into it.'),
});

export type CreateVmRequest = z.infer<typeof createVmRequestSchema>;

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
