/** The config file, `config.toml`. Every key is optional; an unknown key is refused. */
import { z } from 'zod';
import { MAX_DISK_BYTES, MIN_DISK_BYTES, packageNameSchema } from './build.ts';
import { hostPathSchema } from './image.ts';
import { nameSchema } from './name.ts';
import { formatSize, parseSize } from './size.ts';
import { ENGINE_NAMES, MAX_CPUS, MAX_MEMORY_BYTES, MIN_MEMORY_BYTES } from './vm.ts';

const sizeTextSchema = z.string().transform((text, context) => {
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  context.addIssue({ code: 'custom', message: `"${text}" is not a size; write 512M, 8G, 1.5GiB or bytes` });
  return z.NEVER;
});

/** A size as text, within bounds given in bytes. */
function boundedSize(minBytes: number, maxBytes: number) {
  const bounds = `must be at least ${formatSize(minBytes)} and at most ${formatSize(maxBytes)}`;
  return sizeTextSchema.refine((bytes) => bytes >= minBytes && bytes <= maxBytes, bounds);
}

/** A place that `git`, `npm` or apt may fetch from. */
const urlSchema = z
  .string()
  .max(2048)
  .regex(/^(https?|ssh|git|file):\/\/[^\s'"\\]+$/, 'give a URL');

/** 40 hexadecimal digits: a pinned commit never changes under us. */
const commitSchema = z.string().regex(/^[0-9a-f]{40}$/, 'give the full commit, 40 hexadecimal digits');

const gitSourceSchema = z.strictObject({ url: urlSchema, commit: commitSchema });

export const NETWORK_MODES = ['isolated', 'host'] as const;

export const configSchema = z.strictObject({
  log_level: z.enum(['trace', 'debug', 'info', 'warn', 'error']).default('info'),
  engine: z.enum(['auto', ...ENGINE_NAMES]).default('auto'),
  accelerator: z.enum(['auto', 'kvm', 'tcg']).default('auto'),
  firecracker_bin: hostPathSchema.optional(),
  jailer_bin: hostPathSchema.optional(),
  qemu_bin: hostPathSchema.optional(),
  /** Private key for guests; its `.pub` lies beside it. Absent: banger makes one of its own. */
  ssh_key_path: hostPathSchema.optional(),
  default_image_name: nameSchema.optional(),
  network: z
    .strictObject({
      mode: z.enum(NETWORK_MODES).default('isolated'),
      /** Interface names are at most 15 bytes (IFNAMSIZ); five are left for what is derived from it. */
      bridge_name: z
        .string()
        .regex(/^[a-z][a-z0-9-]{0,9}$/)
        .default('banger0'),
      cidr: z.cidrv4().default('10.77.0.0/20'),
      /** Name server for guests; absent: what the host uses. */
      dns: z.ipv4().optional(),
    })
    .prefault({}),
  vm_defaults: z
    .strictObject({
      cpus: z.number().int().min(1).max(MAX_CPUS).default(2),
      memory: boundedSize(MIN_MEMORY_BYTES, MAX_MEMORY_BYTES).prefault('1G'),
      disk_size: boundedSize(MIN_DISK_BYTES, MAX_DISK_BYTES).optional(),
    })
    .prefault({}),
  apt: z.strictObject({ mirror: urlSchema.optional(), proxy: urlSchema.optional() }).prefault({}),
  build: z.strictObject({ packages: z.array(packageNameSchema).default([]) }).prefault({}),
  sources: z
    .strictObject({
      /** Version of `@jdxcode/mise-linux-x64` on the npm registry. */
      mise_version: z
        .string()
        .regex(/^\d+\.\d+\.\d+$/)
        .optional(),
      /** Version of `opencode-linux-x64` on the npm registry. */
      opencode_version: z
        .string()
        .regex(/^\d+\.\d+\.\d+$/)
        .optional(),
      tpm: gitSourceSchema.optional(),
      tmux_resurrect: gitSourceSchema.optional(),
      tmux_continuum: gitSourceSchema.optional(),
    })
    .prefault({}),
});

export type Config = z.output<typeof configSchema>;
