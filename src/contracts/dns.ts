/** The names of guests, and whether the host resolves them: `banger dns`. */
import { z } from 'zod';

/** Programs that resolve for a host and can be told of a zone. */
const RESOLVER_KINDS = ['systemd-resolved', 'networkmanager-dnsmasq', 'dnsmasq'] as const;

export const DNS_VERBS = ['enable', 'disable', 'status'] as const;
export type DnsVerb = (typeof DNS_VERBS)[number];

/** The record of what `dns enable` has changed on the host; written down before it is changed. */
export const resolverWiringSchema = z.object({
  version: z.literal(1),
  resolver: z.enum(RESOLVER_KINDS),
  /** The file that was made; nothing else was changed. */
  path: z.string(),
  content: z.string(),
  /** Its folder was made too. */
  madeFolder: z.boolean(),
  /** Has the resolver read it: a program and its arguments. */
  reload: z.tuple([z.string()], z.string()),
});

export type ResolverWiring = z.infer<typeof resolverWiringSchema>;

export const dnsStatusSchema = z.object({
  zone: z.string(),
  /** Where banger answers. */
  server: z.object({ address: z.ipv4(), port: z.number().int() }),
  /** Set where the host's resolver was told. */
  wiring: resolverWiringSchema.optional(),
  /** Whether banger answers there now. */
  answers: z.boolean(),
  /** Whether the host resolves names by it now. */
  resolves: z.boolean(),
});

export type DnsStatus = z.infer<typeof dnsStatusSchema>;
