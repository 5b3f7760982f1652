/** Images: a root filesystem with its complete boot set. */
import { z } from 'zod';
import { nameSchema } from './name.ts';

/** `sha256:` and 64 hexadecimal digits. */
const digestSchema = z.string().regex(/^sha256:[0-9a-f]{64}$/);

/** Absolute path on the host. */
export const hostPathSchema = z
  .string()
  .max(4096)
  .regex(/^\/[^\0]*$/, 'give an absolute path');

export const bootSetSchema = z.object({
  kernelPath: z.string(),
  initrdPath: z.string().optional(),
  /** Modules tree for the kernel, on the host; where it is absent the rootfs holds its own. */
  modulesPath: z.string().optional(),
});

export type BootSet = z.infer<typeof bootSetSchema>;

/** How one step of the build that made an image went. */
export const stepRecordSchema = z.object({
  name: z.string(),
  /** Hash of the step's script, files and inputs. */
  inputsDigest: digestSchema,
  startedAt: z.iso.datetime(),
  durationMs: z.number().int().nonnegative(),
  outcome: z.enum(['succeeded', 'failed']),
});

export const provenanceSchema = z.object({
  method: z.enum(['bootstrap', 'build', 'register', 'promote']),
  bangerVersion: z.string(),
  /** The image it was built from. */
  source: z.object({ name: z.string(), digest: digestSchema }).optional(),
  /** Distribution, release and variant of a bootstrap; the request of a build. */
  parameters: z.record(z.string(), z.unknown()),
  steps: z.array(stepRecordSchema),
  /** Hash of the package list that the builder was asked for. */
  requestedPackagesDigest: digestSchema.optional(),
  operationId: z.string().optional(),
});

export type StepRecord = z.infer<typeof stepRecordSchema>;
export type Provenance = z.infer<typeof provenanceSchema>;

export const imageSchema = z.object({
  id: z.string(),
  name: nameSchema,
  /** Managed: banger owns the files. Unmanaged: they are the user's, and never written. */
  managed: z.boolean(),
  rootfsPath: z.string(),
  boot: bootSetSchema,
  /** Apparent size of the root filesystem. */
  sizeBytes: z.number().int().nonnegative(),
  digest: digestSchema,
  /** How many packages are installed in it; absent where it was not counted. */
  packageCount: z.number().int().nonnegative().optional(),
  /** Hash of the sorted `name version` list of installed packages. */
  packagesDigest: digestSchema.optional(),
  /** Version of the guest agent in it; absent where it has none. */
  agentVersion: z.string().optional(),
  createdAt: z.iso.datetime(),
  provenance: provenanceSchema,
});

export type Image = z.infer<typeof imageSchema>;

/** One entry of `image history`, newest first; the chain ends where a source is no longer registered. */
const historyEntrySchema = z.object({
  imageName: z.string(),
  digest: digestSchema,
  createdAt: z.iso.datetime().optional(),
  provenance: provenanceSchema.optional(),
});

export const imageHistorySchema = z.object({
  entries: z.array(historyEntrySchema),
  /** Installed packages of the newest entry, `name version`, sorted. */
  packages: z.array(z.string()),
});

export type ImageHistory = z.infer<typeof imageHistorySchema>;

export const registerImageRequestSchema = z.strictObject({
  rootfsPath: hostPathSchema.describe('A raw image of one ext4 filesystem.'),
  kernelPath: hostPathSchema.describe('A bzImage, or an uncompressed vmlinux.'),
  initrdPath: hostPathSchema.optional().describe('Its initial ramdisk, where it needs one.'),
  modulesPath: hostPathSchema.optional().describe('Its modules tree, where the root filesystem has none for it.'),
});

export type RegisterImageRequest = z.infer<typeof registerImageRequestSchema>;
