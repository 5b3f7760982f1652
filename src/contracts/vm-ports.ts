/** What listens in a guest, and how the host reaches it. */
import { z } from 'zod';
import { FORWARD_FAULTS } from './forwarder-report.ts';
import { nameSchema } from './name.ts';

/** Why the host does not reach a port: what forbids it, or what failed. */
export const PORT_REFUSALS = [
  'not-tcp',
  'guest-loopback',
  'other-address',
  'too-many-ports',
  'no-address',
  'switched-off',
  'forwarder-gone',
  'not-yet',
  ...FORWARD_FAULTS,
] as const;

export type PortRefusal = (typeof PORT_REFUSALS)[number];

const vmPortSchema = z.object({
  protocol: z.enum(['tcp', 'udp']),
  /** What it is bound to in the guest: `0.0.0.0` and `::` are every address. */
  address: z.string(),
  port: z.number().int(),
  /** Of who has it open; the guest's own words. */
  process: z.string().optional(),
  pid: z.number().int().optional(),
  /** True where the host reaches it, at `hostAddress` and the same port. */
  reachable: z.boolean(),
  /** Why not. */
  refusal: z.enum(PORT_REFUSALS).optional(),
  /** Where an HTTP server answers. */
  link: z.string().optional(),
});

export const vmPortsSchema = z.object({
  vmName: nameSchema,
  /** `calm-otter.vm`. */
  hostName: z.string(),
  /** On the host: a loopback address of the VM's own; in mode `host` the guest's address. */
  hostAddress: z.ipv4().optional(),
  /** Whether the host's resolver was told of such names (`banger dns enable`). */
  namesEnabled: z.boolean(),
  ports: z.array(vmPortSchema),
  /** There are more than the agent lists. */
  truncated: z.boolean(),
});

export type VmPorts = z.infer<typeof vmPortsSchema>;
export type VmPort = VmPorts['ports'][number];
