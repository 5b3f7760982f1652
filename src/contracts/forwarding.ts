/**
 * What the daemon and its forwarder say to each other over the forwarder's socket: lines of JSON. The forwarder is the
 * part of banger that stays in the host's own network: it binds what guests publish there, and answers for their names.
 *
 * ```
 * daemon     {"version":1,"revision":7,"dnsAddress":"127.77.21.4","names":[...],"forwards":[...]}
 * forwarder  {"version":1,"revision":7,"dnsPorts":[53,5377],"faults":[...]}
 * ```
 *
 * An order is everything that shall be, each time: what is in no order any more is given up. A report follows each order,
 * once all of it was tried.
 *
 * This file has no code but constants, so that the forwarder need not load the schemas.
 */

export const FORWARDING_VERSION = 1;

/** Where guests stand in for themselves on the host; nothing outside it is ever bound. */
export const LOOPBACK_NETWORK = '127.77.0.0/16';

/** The zone that the forwarder answers for. */
export const DNS_ZONE = 'vm';

/** Needs no privilege; what `banger dns enable` tells the host's resolver. */
export const DNS_PORT = 5377;

/** Below the zone, and no VM's name: it has the name server's own address, so that whoever asks knows who answered. */
export const DNS_PROBE_LABEL = '_banger';

/** Longest order, `bytes`: 4000 VMs with 128 ports each have less than half of it. */
export const MAX_ORDER_BYTES = 8 * 2 ** 20;

export interface ForwardedName {
  /** A VM's name, without the zone. */
  readonly name: string;
  readonly address: string;
}

export interface Forward {
  readonly vmName: string;
  /** In `LOOPBACK_NETWORK`. */
  readonly address: string;
  /** The same ports here and in the guest. */
  readonly ports: readonly number[];
}

export interface ForwardingOrder {
  readonly version: typeof FORWARDING_VERSION;
  readonly revision: number;
  /** Where names are answered; in `LOOPBACK_NETWORK`. */
  readonly dnsAddress: string;
  readonly names: readonly ForwardedName[];
  readonly forwards: readonly Forward[];
}
