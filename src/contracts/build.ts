/** Requests that make managed images: bootstrap and build. */
import { z } from 'zod';
import { hostPathSchema } from './image.ts';
import { nameSchema } from './name.ts';

/** The build's steps in the order they run. */
export const STEP_NAMES = [
  'base',
  'packages',
  'network',
  'agent',
  'mise',
  'opencode',
  'tmux',
  'docker',
  'modules',
  'user',
  'cleanup',
] as const;

export type StepName = (typeof STEP_NAMES)[number];

export const PRESET_NAMES = ['dev', 'minimal'] as const;

export type PresetName = (typeof PRESET_NAMES)[number];

/** Releases of Debian that `image bootstrap` knows; the first is the default. */
export const DEBIAN_RELEASES = ['bookworm', 'trixie'] as const;

/** Largest root filesystem that may be asked for, `bytes`: ext4's limit at 4 KiB blocks is 16 TiB. */
export const MAX_DISK_BYTES = 16 * 2 ** 40;

/** Smallest root filesystem that may be asked for, `bytes`. */
export const MIN_DISK_BYTES = 64 * 2 ** 20;

const diskBytesSchema = z.number().int().min(MIN_DISK_BYTES).max(MAX_DISK_BYTES);

/**
 * A package as apt takes it: `name`, `name:arch`, `name=version`, `name/release` (Debian policy 5.6.1 and 5.6.12).
 * It begins with a letter or digit, so it can never be taken for an option; it does not end with `-`, which would
 * make apt remove the package.
 */
export const packageNameSchema = z
  .string()
  .max(256)
  .regex(/^(?!.*-$)[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?([=/][A-Za-z0-9][A-Za-z0-9.+~:-]*)?$/, 'not a Debian package name');

export const bootstrapRequestSchema = z.strictObject({
  distribution: z.literal('debian').default('debian').describe('The distribution.'),
  release: z.enum(DEBIAN_RELEASES).default('bookworm').describe('Its release.'),
  sizeBytes: diskBytesSchema.default(2 * 2 ** 30).describe('Size of the root filesystem.'),
  packages: z.array(packageNameSchema).max(1000).default([]).describe('Packages besides those that a guest needs.'),
});

export type BootstrapRequest = z.infer<typeof bootstrapRequestSchema>;

export const buildRequestSchema = z.strictObject({
  from: nameSchema.describe('Name of the source image.'),
  preset: z
    .enum(PRESET_NAMES)
    .default('dev')
    .describe('`dev`: every tool. `minimal`: base, network, agent and cleanup.'),
  sizeBytes: diskBytesSchema.optional().describe('Size of the root filesystem. Left out: the source’s.'),
  packages: z.array(packageNameSchema).max(1000).default([]).describe('Packages besides the preset’s.'),
  docker: z.boolean().default(false).describe('Install Docker.'),
  without: z.array(z.enum(STEP_NAMES)).default([]).describe('Steps to leave out.'),
  kernelPath: hostPathSchema.optional().describe('Kernel of the new image. Left out: the source’s boot set.'),
  initrdPath: hostPathSchema.optional().describe('Its initial ramdisk.'),
  modulesPath: hostPathSchema.optional().describe('Its modules tree, which is put into the image.'),
  userScript: z
    .string()
    .max(1024 * 1024)
    .optional()
    .describe('Script that the step `user` runs as root in the guest.'),
  stepTimeoutMs: z
    .number()
    .int()
    .min(1000)
    .max(24 * 3_600_000)
    .optional()
    .describe('One deadline for every step instead of their own, `ms`.'),
  keepFailed: z.boolean().default(false).describe('Keep the disk and the logs of a build that failed, and say where.'),
});

export type BuildRequest = z.infer<typeof buildRequestSchema>;
