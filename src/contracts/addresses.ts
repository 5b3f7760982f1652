/**
 * Where each route lies. Apart from the schemas (routes.ts) because a client that only asks needs no more than this:
 * loading the schemas takes longer than `banger vm list` may.
 */

export const API_PREFIX = '/v1';

/** On every reply: which build of banger has answered. A client of the same build need not ask first who is there. */
export const BUILD_HEADER = 'x-banger-build';

/**
 * `sync`: 200 with the resource. `operation`: 202 with the operation and its address in `Location`.
 * `events`: server-sent events. `text`: plain text. `tunnel`: 101 and the bytes of `protocol` both ways.
 */
export type RouteKind = 'sync' | 'operation' | 'events' | 'text' | 'tunnel';

/** What is named in `Upgrade` for a tunnel: what its bytes are. */
export const TUNNEL_PROTOCOLS = ['banger-tcp', 'banger-exec', 'banger-lease'] as const;
export type TunnelProtocol = (typeof TUNNEL_PROTOCOLS)[number];

export interface Address {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `API_PREFIX`; `{name}` marks a parameter. */
  readonly path: `/${string}`;
  readonly kind: RouteKind;
  /** Of a tunnel. */
  readonly protocol?: TunnelProtocol;
}

export const ADDRESSES = {
  daemonStatus: { method: 'GET', path: '/daemon', kind: 'sync' },
  daemonStop: { method: 'POST', path: '/daemon/stop', kind: 'sync' },
  configShow: { method: 'GET', path: '/config', kind: 'sync' },
  imageList: { method: 'GET', path: '/images', kind: 'sync' },
  imageShow: { method: 'GET', path: '/images/{name}', kind: 'sync' },
  imageHistory: { method: 'GET', path: '/images/{name}/history', kind: 'sync' },
  imageBootstrap: { method: 'POST', path: '/images/{name}/bootstraps', kind: 'operation' },
  imageBuild: { method: 'POST', path: '/images/{name}/builds', kind: 'operation' },
  imageRegister: { method: 'POST', path: '/images/{name}/registrations', kind: 'operation' },
  imagePromote: { method: 'POST', path: '/images/{name}/promotions', kind: 'operation' },
  imageDelete: { method: 'DELETE', path: '/images/{name}', kind: 'operation' },
  vmList: { method: 'GET', path: '/vms', kind: 'sync' },
  vmCreate: { method: 'POST', path: '/vms', kind: 'operation' },
  vmShow: { method: 'GET', path: '/vms/{name}', kind: 'sync' },
  vmStart: { method: 'POST', path: '/vms/{name}/start', kind: 'operation' },
  vmStop: { method: 'POST', path: '/vms/{name}/stop', kind: 'operation' },
  vmRestart: { method: 'POST', path: '/vms/{name}/restart', kind: 'operation' },
  vmKill: { method: 'POST', path: '/vms/{name}/kill', kind: 'operation' },
  vmSet: { method: 'POST', path: '/vms/{name}/settings', kind: 'operation' },
  vmRename: { method: 'POST', path: '/vms/{name}/name', kind: 'operation' },
  vmPrune: { method: 'POST', path: '/vms/prunings', kind: 'operation' },
  vmStats: { method: 'GET', path: '/vms/{name}/stats', kind: 'sync' },
  vmDelete: { method: 'DELETE', path: '/vms/{name}', kind: 'operation' },
  vmSshAccess: { method: 'GET', path: '/vms/{name}/ssh', kind: 'sync' },
  vmPorts: { method: 'GET', path: '/vms/{name}/ports', kind: 'sync' },
  vmTunnel: { method: 'GET', path: '/vms/{name}/tcp/{port}', kind: 'tunnel', protocol: 'banger-tcp' },
  vmLease: { method: 'GET', path: '/vms/{name}/lease', kind: 'tunnel', protocol: 'banger-lease' },
  vmExec: { method: 'GET', path: '/vms/{name}/exec', kind: 'tunnel', protocol: 'banger-exec' },
  operationList: { method: 'GET', path: '/operations', kind: 'sync' },
  operationShow: { method: 'GET', path: '/operations/{id}', kind: 'sync' },
  operationLog: { method: 'GET', path: '/operations/{id}/log', kind: 'text' },
  operationEvents: { method: 'GET', path: '/operations/{id}/events', kind: 'events' },
  operationCancel: { method: 'POST', path: '/operations/{id}/cancel', kind: 'sync' },
  events: { method: 'GET', path: '/events', kind: 'events' },
} as const satisfies Record<string, Address>;
