/** The config file, `config.toml`. Every key is optional; an unknown key is refused. */
import { z } from 'zod';
import { MAX_DISK_BYTES, MIN_DISK_BYTES, packageNameSchema } from './build.ts';
import { hostPathSchema } from './image.ts';
import { nameSchema } from './name.ts';
import { exactSize, formatSize, parseSize } from './size.ts';
import { ENGINE_NAMES, MAX_CPUS, MAX_MEMORY_BYTES, MIN_MEMORY_BYTES } from './vm.ts';

/** Text in the file, bytes for us; `z.encode` writes it as the file has it. */
const sizeTextSchema = z.codec(z.string('write a size as text, such as "1G"'), z.number(), {
  decode: (text, context) => {
    const bytes = parseSize(text);
    if (bytes !== undefined) return bytes;
    context.issues.push({ code: 'custom', input: text, message: 'not a size; write 512M, 8G, 1.5GiB or bytes' });
    return z.NEVER;
  },
  encode: exactSize,
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

const gitSourceSchema = z.strictObject({
  url: urlSchema.describe('Repository to fetch from.'),
  commit: commitSchema.describe('The commit, 40 hexadecimal digits.'),
});

export const NETWORK_MODES = ['isolated', 'host'] as const;

const versionSchema = z.string().regex(/^\d+\.\d+\.\d+$/, 'give a version such as 1.2.3');

const networkSchema = z.strictObject({
  mode: z
    .enum(NETWORK_MODES)
    .default('isolated')
    .describe(
      '`isolated`: a network namespace of banger’s own, joined to the outside by pasta. `host`: the host’s own.',
    ),
  // Interface names are at most 15 bytes (IFNAMSIZ); five are left for what is derived from it.
  bridge_name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,9}$/, 'give at most ten of a-z, 0-9 and "-", beginning with a letter')
    .default('banger0')
    .describe('The guests’ bridge.'),
  cidr: z
    .cidrv4('give an IPv4 network such as 10.77.0.0/20')
    .default('10.77.0.0/20')
    .describe('The guests’ network. Its first address is the gateway.'),
  dns: z
    .ipv4('give an IPv4 address such as 192.0.2.53')
    .optional()
    .describe('Name server for guests. Left out: what the host uses.'),
  publish_ports: z
    .boolean()
    .default(true)
    .describe(
      'Whether guests’ names and listening ports appear on the host’s loopback. Every user of the host reaches them.',
    ),
});

const vmDefaultsSchema = z.strictObject({
  cpus: z
    .number()
    .int()
    .min(1)
    .max(MAX_CPUS)
    .optional()
    .describe('Processors of a VM that is given no number. Left out: a quarter of the host’s, at most 4.'),
  memory: boundedSize(MIN_MEMORY_BYTES, MAX_MEMORY_BYTES)
    .optional()
    .describe('Memory of such a VM. Left out: an eighth of the host’s, 512M at least and 8G at most.'),
  disk_size: boundedSize(MIN_DISK_BYTES, MAX_DISK_BYTES)
    .optional()
    .describe('Root disk of such a VM. Left out: as large as its image.'),
});

const aptSchema = z.strictObject({
  mirror: urlSchema
    .optional()
    .describe('Where Debian’s packages come from: the release and its updates. Left out: the usual place.'),
  security_mirror: urlSchema
    .optional()
    .describe('Where security updates come from; most mirrors have them elsewhere. Left out: the usual place.'),
  proxy: urlSchema.optional().describe('Proxy that apt goes through.'),
});

const sourcesSchema = z.strictObject({
  mise_version: versionSchema.optional().describe('Version of `@jdxcode/mise-linux-x64` on the npm registry.'),
  opencode_version: versionSchema.optional().describe('Version of `opencode-linux-x64` on the npm registry.'),
  tpm: gitSourceSchema.optional().describe('The tmux plugin manager.'),
  tmux_resurrect: gitSourceSchema.optional().describe('The tmux plugin that saves sessions.'),
  tmux_continuum: gitSourceSchema.optional().describe('The tmux plugin that saves them by itself.'),
});

/** Users above those that systemd gives away (its UIDS-GIDS.md), below the first that does not fit a signed number. */
const FIRST_JAIL_UID = 1_900_000_000;
const MAX_FIRST_JAIL_UID = 2_147_400_000;

const jailerSchema = z.strictObject({
  mode: z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe('Whether Firecracker runs in a jail, as a user of its own. `auto`: where banger runs as root.'),
  base_dir: hostPathSchema
    .optional()
    .describe(
      'Where the jails are, on the filesystem of the VMs’ disks and not mounted `nodev`. Left out: in the state folder.',
    ),
  first_uid: z
    .number()
    .int()
    .min(1000)
    .max(MAX_FIRST_JAIL_UID)
    .default(FIRST_JAIL_UID)
    .describe('First of the 65536 user and group numbers that the jails have, one each. Nobody else should have them.'),
});

/** `0600` in the file, its permission bits for us. */
const modeSchema = z.codec(z.string('write a mode as text, such as "0600"'), z.number(), {
  decode: (text, context) => {
    if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
    context.issues.push({ code: 'custom', input: text, message: 'give permission bits such as "0600"' });
    return z.NEVER;
  },
  encode: (mode) => mode.toString(8).padStart(4, '0'),
});

/** A path that says where it leads: no `..`, and nothing that the writing of a guest's disk could not encode. */
function plainPathSchema(pattern: RegExp, message: string) {
  return z
    .string()
    .max(1024)
    .regex(pattern, message)
    .regex(/^[^"\p{Cc}]*$/u, 'holds a quote or a control character')
    .refine((path) => !/\/\.{0,2}(\/|$)/.test(path), 'holds ".", ".." or an empty name');
}

const fileSyncSchema = z.strictObject({
  host: plainPathSchema(/^(~\/|\/)/, 'give a file as ~/NAME, or its absolute path').describe(
    'A file below your home, yours. One that is not there is left out, and told of in the log of the operation.',
  ),
  guest: plainPathSchema(/^(~|\/root)\//, 'give a path below the guest’s home: ~/NAME or /root/NAME')
    .refine((path) => !/^(~|\/root)\/\.ssh\/authorized_keys$/.test(path), 'banger’s own key lies there')
    .describe('Where it goes, below the home of root.'),
  mode: modeSchema.prefault('0600').describe('Its permission bits there.'),
});

export type FileSync = z.output<typeof fileSyncSchema>;

/** The second of two entries with one place is told of. */
const fileSyncListSchema = z
  .array(fileSyncSchema)
  .max(64)
  .superRefine((entries, context) => {
    const places = entries.map(({ guest }) => guest.replace(/^~(?=\/)/, '/root'));
    for (const [index, place] of places.entries()) {
      if (places.indexOf(place) < index) {
        context.addIssue({ code: 'custom', path: [index, 'guest'], message: 'an entry before has the same place' });
      }
    }
  });

export const configSchema = z.strictObject({
  log_level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('What the daemon writes to its log: this and everything graver.'),
  engine: z
    .enum(['auto', ...ENGINE_NAMES])
    .default('auto')
    .describe('The program that runs VMs. `auto`: Firecracker where it can run the VM on KVM, else QEMU.'),
  accelerator: z
    .enum(['auto', 'kvm', 'tcg'])
    .default('auto')
    .describe(
      '`tcg` runs guests in software, `kvm` by the processor. `auto`: KVM where a guest was seen to boot on it, else software.',
    ),
  firecracker_bin: hostPathSchema
    .optional()
    .describe('The Firecracker program, 1.14 or newer. Left out: `firecracker` on PATH.'),
  jailer_bin: hostPathSchema.optional().describe('Firecracker’s jailer. Left out: `jailer` on PATH.'),
  qemu_bin: hostPathSchema.optional().describe('The QEMU program. Left out: `qemu-system-x86_64` on PATH.'),
  ssh_key_path: hostPathSchema
    .optional()
    .describe('Private key for guests; its `.pub` lies beside it. Left out: banger makes one of its own.'),
  default_image_name: nameSchema.optional().describe('Image of a VM that is given none.'),
  jailer: jailerSchema.prefault({}).describe('The jail that Firecracker runs in.'),
  network: networkSchema.prefault({}).describe('How guests are connected.'),
  vm_defaults: vmDefaultsSchema.prefault({}).describe('What a VM gets where its command does not say.'),
  apt: aptSchema.prefault({}).describe('Debian’s packages, for bootstrap and for builds.'),
  build: z
    .strictObject({
      packages: z.array(packageNameSchema).default([]).describe('Packages that every build installs, beside its own.'),
    })
    .prefault({})
    .describe('Image builds.'),
  file_sync: fileSyncListSchema.default([]).describe('Files of yours that are copied into each new VM.'),
  sources: sourcesSchema
    .prefault({})
    .describe(
      'Where the tools of the preset `dev` come from. Each has a pinned version of its own; set one to replace it.',
    ),
});

export type Config = z.output<typeof configSchema>;
