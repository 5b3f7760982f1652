/** What the forwarder reports; forwarding.ts says what it is. */
import { z } from 'zod';

export const FORWARD_FAULTS = ['address-in-use', 'not-permitted', 'too-many', 'failed'] as const;

/** Why an address and port could not be bound. */
export type ForwardFault = (typeof FORWARD_FAULTS)[number];

export const forwarderReportSchema = z.object({
  version: z.literal(1),
  revision: z.number().int().nonnegative(),
  /** Ports of the order's `dnsAddress` on which names are answered, over UDP and TCP. */
  dnsPorts: z.array(z.number().int()),
  faults: z.array(z.object({ address: z.ipv4(), port: z.number().int(), fault: z.enum(FORWARD_FAULTS) })),
});

export type ForwarderReport = z.infer<typeof forwarderReportSchema>;
