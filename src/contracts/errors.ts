/** The error catalogue. A code is permanent: once released it keeps its meaning for ever. */
import { z } from 'zod';

interface ErrorEntry {
  /** HTTP status of the reply that carries it. */
  readonly status: 400 | 404 | 409 | 422 | 499 | 500 | 501 | 502 | 503 | 504 | 507;
  /** What it means, in one line, for the reference. */
  readonly title: string;
  /** What to do, unless the place that raises it knows better. */
  readonly hint: string;
}

function catalogue<const Entries extends Record<string, ErrorEntry>>(entries: Entries): Entries {
  return entries;
}

export const ERRORS = catalogue({
  // The request itself
  REQUEST_INVALID: {
    status: 400,
    title: 'The request does not fit its schema',
    hint: 'See `banger COMMAND --help`, or the OpenAPI document at /v1/openapi.json.',
  },
  ROUTE_UNKNOWN: { status: 404, title: 'No such address', hint: 'See /v1/openapi.json for every address.' },
  NAME_TAKEN: {
    status: 409,
    title: 'The name is taken, or reserved by an operation that is running',
    hint: 'Choose another name, or delete what has it.',
  },
  SIZE_INVALID: {
    status: 422,
    title: 'The size cannot be used',
    hint: 'Write a size as 512M, 8G, 1.5GiB or bytes, at least as large as the source image.',
  },
  PACKAGE_NAME_INVALID: {
    status: 422,
    title: 'A package name that no Debian package can have',
    hint: 'A package name is lower-case letters, digits, "+", "-" and "."; `name=version` and `name/release` are allowed.',
  },
  STEP_UNKNOWN: {
    status: 422,
    title: 'No build step has this name',
    hint: 'See `banger image build --help` for the steps.',
  },
  STEP_INVALID: {
    status: 422,
    title: 'A build step cannot be used this way',
    hint: 'See `banger image build --help`.',
  },
  CONFIG_INVALID: {
    status: 422,
    title: 'The config file has a bad key or value',
    hint: 'Mend the line it names; `banger config path` tells where the file is.',
  },

  // Images and kernels
  IMAGE_NOT_FOUND: {
    status: 404,
    title: 'No image has this name',
    hint: '`banger image list` shows the images there are.',
  },
  IMAGE_IN_USE: {
    status: 409,
    title: 'VMs or builds use the image',
    hint: 'Delete the VMs it names first, then the image.',
  },
  IMAGE_FILES_MISSING: {
    status: 422,
    title: 'Files of the image are missing or unreadable',
    hint: 'Put the file back, or delete the image and make it again.',
  },
  IMAGE_ALREADY_MANAGED: {
    status: 409,
    title: 'The image is managed already',
    hint: 'Only an image made by `image register` can be promoted.',
  },
  ROOTFS_INVALID: {
    status: 422,
    title: 'The root filesystem is not a usable ext4 image',
    hint: 'Give a raw image file that holds one ext4 filesystem and no partition table.',
  },
  KERNEL_INVALID: {
    status: 422,
    title: 'The file is not a kernel that can be booted',
    hint: 'Give a bzImage (such as /boot/vmlinuz-*) or an uncompressed vmlinux.',
  },
  INITRD_INVALID: {
    status: 422,
    title: 'The file is not an initial ramdisk',
    hint: 'Give an initrd as made by update-initramfs.',
  },
  MODULES_INVALID: {
    status: 422,
    title: 'The folder is not a kernel modules tree',
    hint: 'Give a folder such as /lib/modules/6.1.0-18-cloud-amd64, with modules.dep or kernel/ in it.',
  },
  BOOTSTRAP_FAILED: {
    status: 502,
    title: 'The first image could not be made from packages',
    hint: 'The last lines of the log say why; [apt] mirror and security_mirror in the config set other places to fetch from.',
  },
  BUILD_STEP_FAILED: {
    status: 502,
    title: 'A step of the build failed',
    hint: 'The operation’s log has its output; --keep-failed keeps the disk.',
  },
  BUILD_STEP_TIMEOUT: {
    status: 504,
    title: 'A step of the build ran past its deadline',
    hint: 'The log shows where it hung; leave the step out by --without STEP.',
  },
  SOURCE_UNREACHABLE: {
    status: 502,
    title: 'A download could not be fetched or did not have the expected content',
    hint: 'Set a mirror under [sources] in the config, or leave the step out by --without STEP.',
  },

  // VMs
  VM_NOT_FOUND: { status: 404, title: 'No VM has this name', hint: '`banger vm list` shows the VMs there are.' },
  VM_STATE_INVALID: {
    status: 409,
    title: 'The VM is not in a state that allows this',
    hint: '`banger vm show NAME` tells its state.',
  },
  VM_BUSY: {
    status: 409,
    title: 'Another operation is working on the VM',
    hint: '`banger op list` shows it; wait for it or cancel it.',
  },
  BOOT_TIMEOUT: {
    status: 504,
    title: 'The guest did not become ready in time',
    hint: 'The console’s last lines say how far it came.',
  },
  BOOT_EXITED: {
    status: 502,
    title: 'The VMM ended before the guest was ready',
    hint: 'The console’s last lines say why.',
  },
  GUEST_UNREACHABLE: {
    status: 502,
    title: 'The guest does not answer',
    hint: 'Look at the console, or restart the VM.',
  },
  WORKSPACE_INVALID: {
    status: 422,
    title: 'The folder cannot be brought into a VM as a repository',
    hint: 'Give a folder of a git work tree; `banger vm cp` copies any other.',
  },
  EXPORT_FAILED: {
    status: 502,
    title: 'The changes made in a VM could not be exported',
    hint: '`banger vm cp` gets the files themselves.',
  },
  SSH_CONFIG_UNUSABLE: {
    status: 422,
    title: 'The user’s ssh config cannot be changed',
    hint: '`banger ssh-config` prints what would have to be in it.',
  },
  COPY_FAILED: {
    status: 422,
    title: 'Files could not be copied between host and guest',
    hint: 'See `banger vm cp --help` for what goes where.',
  },
  AGENT_UNREACHABLE: {
    status: 502,
    title: 'The agent in the guest does not answer',
    hint: 'Is banger-agent active in the guest? An image without it is used over ssh.',
  },
  AGENT_FAILED: {
    status: 502,
    title: 'The agent in the guest could not do what it was asked',
    hint: 'Its journal in the guest says more: journalctl -u banger-agent.',
  },

  // The host
  ENGINE_UNAVAILABLE: {
    status: 503,
    title: 'The engine cannot be used on this host',
    hint: '`banger doctor` tells what is missing.',
  },
  ENGINE_FAILED: {
    status: 502,
    title: 'The VMM refused to start',
    hint: 'Its own words are in the details; `banger doctor` checks the host.',
  },
  HOST_TOOL_MISSING: {
    status: 503,
    title: 'A program banger needs is not installed',
    hint: '`banger doctor` gives the command that installs it.',
  },
  HOST_TOOL_FAILED: { status: 500, title: 'A program on the host failed', hint: 'Its own words are in the details.' },
  NETWORK_UNAVAILABLE: {
    status: 503,
    title: 'The network for guests could not be set up',
    hint: '`banger doctor` tells what is missing.',
  },
  RESOLVER_UNSUPPORTED: {
    status: 501,
    title: 'The host resolves names in a way that banger cannot add to',
    hint: 'Have your resolver forward the zone by hand; `banger dns status` tells to where.',
  },
  RESOLVER_CONFLICT: {
    status: 409,
    title: 'A file for the host’s resolver is not as banger would have it',
    hint: 'Look at the file that is named; `banger dns status` tells what was made.',
  },
  RESOLVER_FAILED: {
    status: 502,
    title: 'The host’s resolver could not be told of the guests’ names',
    hint: 'Its own words are in the message; `banger dns status` tells how it stands.',
  },
  ADDRESSES_EXHAUSTED: {
    status: 507,
    title: 'No address is free in the network',
    hint: 'Delete VMs, or set a larger [network] cidr.',
  },
  DISK_FULL: {
    status: 507,
    title: 'Not enough disk space',
    hint: 'Free some space, or move BANGER_HOME to a larger disk.',
  },
  PATH_TOO_LONG: {
    status: 422,
    title: 'A path is longer than the system allows for a socket',
    hint: 'Set BANGER_HOME, or XDG_RUNTIME_DIR, to a shorter path.',
  },
  FOLDER_UNSAFE: {
    status: 500,
    title: 'A folder that must be ours alone belongs to somebody else, or is open to others',
    hint: 'Look at what it is and remove it, or set BANGER_HOME to a folder of yours.',
  },
  STORE_FAILED: {
    status: 500,
    title: 'The database could not be used',
    hint: 'The details say why; a newer banger may have written it.',
  },

  // Operations and the daemon
  OPERATION_NOT_FOUND: {
    status: 404,
    title: 'No operation has this id',
    hint: '`banger op list` shows the operations there are.',
  },
  OPERATION_CANCELLED: { status: 499, title: 'The operation was cancelled', hint: 'Start it again when you want it.' },
  OPERATION_INTERRUPTED: {
    status: 503,
    title: 'The daemon ended while the operation ran',
    hint: 'What it had made was removed; start it again.',
  },
  OPERATION_ENDED: { status: 409, title: 'The operation has ended already', hint: '`banger op show ID` tells how.' },
  EVENTS_MISSED: {
    status: 503,
    title: 'The listener was too slow and would have missed events',
    hint: 'Fetch what you show anew, and listen again.',
  },
  DAEMON_UNREACHABLE: {
    status: 503,
    title: 'The daemon cannot be reached',
    hint: '`banger daemon logs` tells why it does not start.',
  },
  DAEMON_STOPPING: { status: 503, title: 'The daemon is stopping', hint: 'Try again; it starts by itself.' },
  CLEANUP_FAILED: {
    status: 500,
    title: 'Something could not be removed',
    hint: 'The details name each thing left behind; the next start of the daemon tries again.',
  },
  INTERNAL: {
    status: 500,
    title: 'A fault in banger itself',
    hint: 'Please report it, with the daemon’s log (`banger daemon logs`).',
  },
});

export type ErrorCode = keyof typeof ERRORS;

export const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** An error as it crosses the wire. */
export const errorBodySchema = z.object({
  code: z.enum(ERROR_CODES),
  /** What happened and why. */
  message: z.string(),
  /** What to do. */
  hint: z.string(),
  /** Facts: paths, exit status, the tail of a log. */
  details: z.record(z.string(), z.unknown()),
  /** The operation it belongs to. */
  operationId: z.string().optional(),
});

export type ErrorBody = z.infer<typeof errorBodySchema>;
