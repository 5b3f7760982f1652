/**
 * The route table: the one description of the API.
 * The server parses by it, the client is typed by it, the OpenAPI document is made from it.
 */
import { z } from 'zod';
import { bootstrapRequestSchema, buildRequestSchema } from './build.ts';
import { daemonStatusSchema, stopDaemonReplySchema, stopDaemonRequestSchema } from './daemon.ts';
import type { ErrorCode } from './errors.ts';
import { operationEventSchema, resourceEventSchema } from './event.ts';
import { imageHistorySchema, imageSchema, registerImageRequestSchema } from './image.ts';
import { nameSchema } from './name.ts';
import { operationSchema } from './operation.ts';
import { createVmRequestSchema, sshAccessSchema, vmSchema } from './vm.ts';

export const API_PREFIX = '/v1';

/**
 * `sync`: 200 with the resource. `operation`: 202 with the operation and its address in `Location`.
 * `events`: server-sent events. `text`: plain text. `tunnel`: 101 and raw bytes both ways.
 */
export type RouteKind = 'sync' | 'operation' | 'events' | 'text' | 'tunnel';

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `API_PREFIX`; `{name}` marks a parameter. */
  readonly path: `/${string}`;
  readonly kind: RouteKind;
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
  /** Also taken from the header `Last-Event-ID`: only later events are sent. */
  after: z.coerce.number().int().nonnegative().optional(),
});

function table<const Table extends Record<string, Route>>(routes: Table): Table {
  return routes;
}

export const ROUTES = table({
  daemonStatus: {
    method: 'GET',
    path: '/daemon',
    kind: 'sync',
    summary: 'What the daemon is and what it is doing',
    reply: daemonStatusSchema,
    errors: [],
  },
  daemonStop: {
    method: 'POST',
    path: '/daemon/stop',
    kind: 'sync',
    summary: 'Stop the daemon; VMs go on running',
    body: stopDaemonRequestSchema,
    reply: stopDaemonReplySchema,
    errors: [],
  },
  configShow: {
    method: 'GET',
    path: '/config',
    kind: 'sync',
    summary: 'The config in force, defaults included',
    reply: z.record(z.string(), z.unknown()),
    errors: [],
  },
  imageList: {
    method: 'GET',
    path: '/images',
    kind: 'sync',
    summary: 'Every image',
    reply: z.array(imageSchema),
    errors: [],
  },
  imageShow: {
    method: 'GET',
    path: '/images/{name}',
    kind: 'sync',
    summary: 'One image',
    params: byName,
    reply: imageSchema,
    errors: ['IMAGE_NOT_FOUND'],
  },
  imageHistory: {
    method: 'GET',
    path: '/images/{name}/history',
    kind: 'sync',
    summary: 'Where an image comes from: each build, its steps and packages',
    params: byName,
    reply: imageHistorySchema,
    errors: ['IMAGE_NOT_FOUND'],
  },
  imageBootstrap: {
    method: 'POST',
    path: '/images/{name}/bootstraps',
    kind: 'operation',
    summary: 'Make a first image from a distribution’s packages',
    params: byName,
    body: bootstrapRequestSchema,
    reply: operationSchema,
    errors: ['NAME_TAKEN', 'SIZE_INVALID', 'BOOTSTRAP_FAILED', 'DISK_FULL', 'HOST_TOOL_MISSING'],
  },
  imageBuild: {
    method: 'POST',
    path: '/images/{name}/builds',
    kind: 'operation',
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
    method: 'POST',
    path: '/images/{name}/registrations',
    kind: 'operation',
    summary: 'Register the user’s own files as an unmanaged image',
    params: byName,
    body: registerImageRequestSchema,
    reply: operationSchema,
    errors: ['NAME_TAKEN', 'ROOTFS_INVALID', 'KERNEL_INVALID', 'INITRD_INVALID', 'MODULES_INVALID'],
  },
  imagePromote: {
    method: 'POST',
    path: '/images/{name}/promotions',
    kind: 'operation',
    summary: 'Copy an unmanaged image’s files into banger’s own',
    params: byName,
    reply: operationSchema,
    errors: ['IMAGE_NOT_FOUND', 'IMAGE_ALREADY_MANAGED', 'IMAGE_FILES_MISSING', 'DISK_FULL'],
  },
  imageDelete: {
    method: 'DELETE',
    path: '/images/{name}',
    kind: 'operation',
    summary: 'Delete an image; an unmanaged image’s files stay',
    params: byName,
    reply: operationSchema,
    errors: ['IMAGE_NOT_FOUND', 'IMAGE_IN_USE'],
  },
  vmList: {
    method: 'GET',
    path: '/vms',
    kind: 'sync',
    summary: 'Every VM',
    reply: z.array(vmSchema),
    errors: [],
  },
  vmCreate: {
    method: 'POST',
    path: '/vms',
    kind: 'operation',
    summary: 'Create a VM, and start it unless told otherwise',
    body: createVmRequestSchema,
    reply: operationSchema,
    errors: [
      'NAME_TAKEN',
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
    method: 'GET',
    path: '/vms/{name}',
    kind: 'sync',
    summary: 'One VM',
    params: byName,
    reply: vmSchema,
    errors: ['VM_NOT_FOUND'],
  },
  vmStart: {
    method: 'POST',
    path: '/vms/{name}/start',
    kind: 'operation',
    summary: 'Start a VM and wait until it is ready',
    params: byName,
    reply: operationSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'VM_BUSY', 'ENGINE_UNAVAILABLE'],
  },
  vmStop: {
    method: 'POST',
    path: '/vms/{name}/stop',
    kind: 'operation',
    summary: 'Write everything to disk, power off, and kill after a bound',
    params: byName,
    reply: operationSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'VM_BUSY'],
  },
  vmDelete: {
    method: 'DELETE',
    path: '/vms/{name}',
    kind: 'operation',
    summary: 'Delete a VM and its disk, running or not',
    params: byName,
    reply: operationSchema,
    errors: ['VM_NOT_FOUND', 'VM_BUSY'],
  },
  vmSshAccess: {
    method: 'GET',
    path: '/vms/{name}/ssh',
    kind: 'sync',
    summary: 'Key, known hosts and user for the system’s ssh',
    params: byName,
    reply: sshAccessSchema,
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID'],
  },
  vmTunnel: {
    method: 'GET',
    path: '/vms/{name}/tcp/{port}',
    kind: 'tunnel',
    summary: 'A TCP connection to a guest’s port: `Upgrade: banger-tcp`, then raw bytes',
    params: z.object({ name: nameSchema, port: z.coerce.number().int().min(1).max(65535) }),
    reply: z.null(),
    errors: ['VM_NOT_FOUND', 'VM_STATE_INVALID', 'GUEST_UNREACHABLE'],
  },
  operationList: {
    method: 'GET',
    path: '/operations',
    kind: 'sync',
    summary: 'Operations, newest first',
    reply: z.array(operationSchema),
    errors: [],
  },
  operationShow: {
    method: 'GET',
    path: '/operations/{id}',
    kind: 'sync',
    summary: 'One operation',
    params: byId,
    reply: operationSchema,
    errors: ['OPERATION_NOT_FOUND'],
  },
  operationLog: {
    method: 'GET',
    path: '/operations/{id}/log',
    kind: 'text',
    summary: 'The log so far, as text',
    params: byId,
    reply: z.string(),
    errors: ['OPERATION_NOT_FOUND'],
  },
  operationEvents: {
    method: 'GET',
    path: '/operations/{id}/events',
    kind: 'events',
    summary: 'Stages, log lines and the end, from the beginning or after `Last-Event-ID`',
    params: byId,
    query: resume,
    reply: operationEventSchema,
    errors: ['OPERATION_NOT_FOUND'],
  },
  operationCancel: {
    method: 'POST',
    path: '/operations/{id}/cancel',
    kind: 'sync',
    summary: 'Ask an operation to stop and to undo what it made',
    params: byId,
    reply: operationSchema,
    errors: ['OPERATION_NOT_FOUND', 'OPERATION_ENDED'],
  },
  events: {
    method: 'GET',
    path: '/events',
    kind: 'events',
    summary: 'Every change of an image, a VM or an operation, from now on or after `Last-Event-ID`',
    query: resume,
    reply: resourceEventSchema,
    errors: [],
  },
});

export type Routes = typeof ROUTES;
export type RouteName = keyof Routes;
