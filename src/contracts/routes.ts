/**
 * The route table: the one description of the API.
 * The server parses by it, the client is typed by it, the OpenAPI document is made from it.
 */
import { z } from 'zod';
import { type Address, ADDRESSES } from './addresses.ts';
import { bootstrapRequestSchema, buildRequestSchema } from './build.ts';
import { daemonStatusSchema, stopDaemonReplySchema, stopDaemonRequestSchema } from './daemon.ts';
import type { ErrorCode } from './errors.ts';
import { operationEventSchema, resourceEventSchema } from './event.ts';
import { imageHistorySchema, imageSchema, registerImageRequestSchema } from './image.ts';
import { nameSchema } from './name.ts';
import { operationSchema } from './operation.ts';
import {
  createVmRequestSchema,
  killVmRequestSchema,
  renameVmRequestSchema,
  setVmRequestSchema,
  sshAccessSchema,
  vmSchema,
  vmStatsSchema,
} from './vm.ts';
import { vmPortsSchema } from './vm-ports.ts';

export interface Route extends Address {
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodObject;
  readonly reply: z.ZodType;
  /** Errors of its own, besides REQUEST_INVALID and INTERNAL. */
  readonly errors: readonly ErrorCode[];
}

const byName = z.object({ name: nameSchema });
const byId = z.object({ id: z.string().regex(/^op-[0-9a-z]{4,40}$/, 'an operation id looks like op-1a2b3c4d') });
const resume = z.object({
  after: z.coerce
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe('Only later events are sent. Also taken from the header `Last-Event-ID`.'),
});

function table<const Table extends Record<string, Route>>(routes: Table): Table {
  return routes;
}

export const ROUTES = table({
  daemonStatus: {
    ...ADDRESSES.daemonStatus,
    summary: 'What the daemon is and what it is doing',
    reply: daemonStatusSchema,
    errors: [],
  },
  daemonStop: {
    ...ADDRESSES.daemonStop,
    summary: 'Stop the daemon; VMs go on running',
    body: stopDaemonRequestSchema,
    reply: stopDaemonReplySchema,
    errors: [],
  },
  configShow: {
    ...ADDRESSES.configShow,
    summary: 'The config in force, defaults included',
    reply: z.record(z.string(), z.unknown()),
    errors: [],
  },
  imageList: {
    ...ADDRESSES.imageList,
    summary: 'Every image',
    reply: z.array(imageSchema),
    errors: [],
  },
  imageShow: {
    ...ADDRESSES.imageShow,
    summary: 'One image',
    params: byName,
    reply: imageSchema,
    errors: ['IMAGE_NOT_FOUND'],
  },
  imageHistory: {
    ...ADDRESSES.imageHistory,
    summary: 'Where an image comes from: each build, its steps and packages',
    params: byName,
    reply: imageHistorySchema,
    errors: ['IMAGE_NOT_FOUND'],
  },
  imageBootstrap: {
    ...ADDRESSES.imageBootstrap,
    summary: 'Make a first image from a distribution’s packages',
    params: byName,
    body: bootstrapRequestSchema,
    reply: operationSchema,
    errors: ['NAME_TAKEN', 'SIZE_INVALID', 'BOOTSTRAP_FAILED', 'DISK_FULL', 'HOST_TOOL_MISSING'],
  },
  imageBuild: {
    ...ADDRESSES.imageBuild,
    summary: 'Derive a new image from a registered one inside a transient VM',
    params: byName,
    body: buildRequestSchema,
    reply: operationSchema,
    errors: [
      'NAME_TAKEN',
      'IMAGE_NOT_FOUND',
      'IMAGE_FILES_MISSING',
      'ROOTFS_INVALID',
      'KERNEL_INVALID',
      'INITRD_INVALID',
      'MODULES_INVALID',
      'SIZE_INVALID',
      'STEP_INVALID',
      'DISK_FULL',
      'ENGINE_UNAVAILABLE',
      'ADDRESSES_EXHAUSTED',
      'PATH_TOO_LONG',
    ],
  },
  imageRegister: {
    ...ADDRESSES.imageRegister,
    summary: 'Register the user’s own files as an unmanaged image',
    params: byName,
    body: registerImageRequestSchema,
    reply: operationSchema,
    errors: ['NAME_TAKEN', 'ROOTFS_INVALID', 'KERNEL_INVALID', 'INITRD_INVALID', 'MODULES_INVALID'],
  },
  imagePromote: {
    ...ADDRESSES.imagePromote,
    summary: 'Copy an unmanaged image’s files into banger’s own',
    params: byName,
    reply: operationSchema,
    errors: ['IMAGE_NOT_FOUND', 'IMAGE_ALREADY_MANAGED', 'IMAGE_FILES_MISSING', 'DISK_FULL'],
  },
  imageDelete: {
    ...ADDRESSES.imageDelete,
    summary: 'Delete an image; an unmanaged image’s files stay',
    params: byName,
    reply: operationSchema,
    errors: ['IMAGE_NOT_FOUND', 'IMAGE_IN_USE'],
  },
  vmList: {
    ...ADDRESSES.vmList,
    summary: 'Every VM',
    reply: z.array(vmSchema),
    errors: [],
  },
  vmCreate: {
    ...ADDRESSES.vmCreate,
    summary: 'Create a VM, and start it unless told otherwise',
    body: createVmRequestSchema,
    reply: operationSchema,
    errors: [
      'NAME_TAKEN',
      'VM_NOT_FOUND',
      'IMAGE_NOT_FOUND',
      'IMAGE_FILES_MISSING',
      'SIZE_INVALID',
      'DISK_FULL',
      'ENGINE_UNAVAILABLE',
      'ADDRESSES_EXHAUSTED',
      'PATH_TOO_LONG',
    ],
  },
  vmShow: {
    ...ADDRESSES.vmShow,
    summary: 'One VM',
    params: byName,
    reply: vmSchema,
    errors: ['VM_NOT_FOUND'],
  },
  vmStart: {
    ...ADDRESSES.vmStart,
    summary: 'Start a VM and wait until it is ready',
    params: byName,
    reply: operationSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'VM_BUSY', 'ENGINE_UNAVAILABLE'],
  },
  vmStop: {
    ...ADDRESSES.vmStop,
    summary: 'Write everything to disk, power off, and kill after a bound',
    params: byName,
    reply: operationSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'VM_BUSY'],
  },
  vmRestart: {
    ...ADDRESSES.vmRestart,
    summary: 'Stop a VM cleanly and start it again; one that is stopped is started',
    params: byName,
    reply: operationSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'VM_BUSY', 'ENGINE_UNAVAILABLE'],
  },
  vmKill: {
    ...ADDRESSES.vmKill,
    summary: 'End a VM at once: its guest is not asked, and may lose what it has not written',
    params: byName,
    body: killVmRequestSchema,
    reply: operationSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'VM_BUSY'],
  },
  vmSet: {
    ...ADDRESSES.vmSet,
    summary: 'Change what a VM gets; the result says when each change takes effect',
    params: byName,
    body: setVmRequestSchema,
    reply: operationSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'VM_BUSY', 'SIZE_INVALID', 'DISK_FULL'],
  },
  vmRename: {
    ...ADDRESSES.vmRename,
    summary: 'Give a VM another name, its guest too',
    params: byName,
    body: renameVmRequestSchema,
    reply: operationSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'VM_BUSY', 'NAME_TAKEN'],
  },
  vmPrune: {
    ...ADDRESSES.vmPrune,
    summary: 'Delete every VM that is stopped or has failed',
    reply: operationSchema,
    errors: [],
  },
  vmStats: {
    ...ADDRESSES.vmStats,
    summary: 'What a VM uses: as the host sees it, and as its guest’s agent tells it',
    params: byName,
    reply: vmStatsSchema,
    errors: ['VM_NOT_FOUND'],
  },
  vmDelete: {
    ...ADDRESSES.vmDelete,
    summary: 'Delete a VM and its disk, running or not',
    params: byName,
    reply: operationSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'VM_BUSY'],
  },
  vmSshAccess: {
    ...ADDRESSES.vmSshAccess,
    summary: 'Key, known hosts and user for the system’s ssh',
    params: byName,
    reply: sshAccessSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID'],
  },
  vmPorts: {
    ...ADDRESSES.vmPorts,
    summary: 'What listens in a VM, and how the host reaches it',
    params: byName,
    reply: vmPortsSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'AGENT_UNREACHABLE', 'AGENT_FAILED'],
  },
  vmTunnel: {
    ...ADDRESSES.vmTunnel,
    summary: 'A TCP connection to a guest’s port: `Upgrade: banger-tcp`, then raw bytes',
    params: z.object({ name: nameSchema, port: z.coerce.number().int().min(1).max(65535) }),
    reply: z.null(),
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'GUEST_UNREACHABLE'],
  },
  vmLease: {
    ...ADDRESSES.vmLease,
    summary: 'Hold the lease of a VM: `Upgrade: banger-lease`, and no bytes; it is let go of with the connection',
    params: byName,
    reply: z.null(),
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID'],
  },
  vmExec: {
    ...ADDRESSES.vmExec,
    summary: 'Run a command in a VM: `Upgrade: banger-exec`, then the frames of src/contracts/exec-stream.ts',
    params: byName,
    reply: z.null(),
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID'],
  },
  operationList: {
    ...ADDRESSES.operationList,
    summary: 'Operations, newest first',
    reply: z.array(operationSchema),
    errors: [],
  },
  operationShow: {
    ...ADDRESSES.operationShow,
    summary: 'One operation',
    params: byId,
    reply: operationSchema,
    errors: ['OPERATION_NOT_FOUND'],
  },
  operationLog: {
    ...ADDRESSES.operationLog,
    summary: 'The log so far, as text',
    params: byId,
    reply: z.string(),
    errors: ['OPERATION_NOT_FOUND'],
  },
  operationEvents: {
    ...ADDRESSES.operationEvents,
    summary: 'Stages, log lines and the end, from the beginning or after `Last-Event-ID`',
    params: byId,
    query: resume,
    reply: operationEventSchema,
    errors: ['OPERATION_NOT_FOUND'],
  },
  operationCancel: {
    ...ADDRESSES.operationCancel,
    summary: 'Ask an operation to stop and to undo what it made',
    params: byId,
    reply: operationSchema,
    errors: ['OPERATION_NOT_FOUND', 'OPERATION_ENDED'],
  },
  events: {
    ...ADDRESSES.events,
    summary: 'Every change of an image, a VM or an operation, from now on or after `Last-Event-ID`',
    query: resume,
    reply: resourceEventSchema,
    errors: [],
  },
});

export type Routes = typeof ROUTES;
export type RouteName = keyof Routes;
