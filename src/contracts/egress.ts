/** What a guest may reach outside, as people write it: `none`, `open`, or `allow:` and what it may reach. */
import { z } from 'zod';
import { overlaps, networkOf, parseCidr, parseIpv4 } from './ipv4.ts';

export interface Egress {
  readonly mode: 'none' | 'open' | 'allow';
  /** IPv4 networks and single addresses, as `ADDRESS` or `ADDRESS/LENGTH`. */
  readonly networks: readonly string[];
  /** Host names in lower case; one that begins with `*.` stands for every name below it. */
  readonly names: readonly string[];
}

/** So many stay readable, and a rule set with those of a thousand VMs stays small. */
export const MAX_EGRESS_TARGETS = 64;
/** 64 names of 253 characters, and room for what is between them. */
const MAX_EGRESS_CHARACTERS = 20_000;

const ALLOW = 'allow:';
const EXAMPLE = `${ALLOW}git.example.org,192.0.2.0/24`;
/** RFC 1123 2.1, and the underscore that names of services have. */
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const MAX_NAME_CHARACTERS = 253;
const MAX_QUOTED_CHARACTERS = 80;

/** No guest reaches these, whatever it is allowed. */
const NEVER_REACHED: readonly { readonly cidr: string; readonly what: string }[] = [
  { cidr: '0.0.0.0/8', what: '“this” network' },
  { cidr: '127.0.0.0/8', what: 'loopback' },
  { cidr: '169.254.0.0/16', what: 'link-local, where metadata services live' },
  { cidr: '224.0.0.0/3', what: 'multicast and reserved' },
];

/** @returns `problem`, half a sentence, where the text is no policy. */
export function readEgress(text: string): { readonly egress: Egress } | { readonly problem: string } {
  if (text === 'none' || text === 'open') return { egress: { mode: text, networks: [], names: [] } };
  if (!text.startsWith(ALLOW)) {
    return { problem: `must be none, open, or such as ${EXAMPLE}` };
  }
  const targets = [
    ...new Set(
      text
        .slice(ALLOW.length)
        .split(',')
        .map((target) => target.trim().toLowerCase()),
    ),
  ].filter((target) => target !== '');
  if (targets.length === 0) return { problem: `nothing follows ${ALLOW}; write ${EXAMPLE}, or none` };
  if (targets.length > MAX_EGRESS_TARGETS) {
    return { problem: `${targets.length} hosts and networks are too many; ${MAX_EGRESS_TARGETS} have room` };
  }
  for (const target of targets) {
    const problem = problemOf(target);
    if (problem !== undefined) return { problem };
  }
  const networks = targets.filter(isNumeric);
  return { egress: { mode: 'allow', networks, names: targets.filter((target) => !networks.includes(target)) } };
}

/** The one text of a policy: lower case, nothing twice. Of a text that is none, the text itself. */
export function canonicalEgress(text: string): string {
  const read = readEgress(text);
  if ('problem' in read || read.egress.mode !== 'allow') return text;
  return `${ALLOW}${[...read.egress.networks, ...read.egress.names].join(',')}`;
}

export const egressSchema = z
  .string()
  .max(MAX_EGRESS_CHARACTERS, { abort: true })
  .superRefine((text, context) => {
    const read = readEgress(text);
    if ('problem' in read) context.addIssue({ code: 'custom', message: read.problem });
  });

/** What somebody wrote, short enough for a message. */
function quote(text: string): string {
  return JSON.stringify(text.length <= MAX_QUOTED_CHARACTERS ? text : `${text.slice(0, MAX_QUOTED_CHARACTERS)}…`);
}

/** Digits and dots alone are meant as an address, whether they are one or not. */
function isNumeric(target: string): boolean {
  return /^[\d./]+$/.test(target) || target.includes('/');
}

function problemOf(target: string): string | undefined {
  const quoted = quote(target);
  if (target.includes(':')) return `${quoted} is refused: guests have no IPv6, and no ports can be named`;
  return isNumeric(target) ? networkProblem(target, quoted) : nameProblem(target, quoted);
}

function networkProblem(target: string, quoted: string): string | undefined {
  const single = parseIpv4(target);
  const cidr = single === undefined ? parseCidr(target) : { address: single, prefixLength: 32 };
  if (!cidr) return `${quoted} is no IPv4 address or network; write 192.0.2.7 or 192.0.2.0/24`;
  if (networkOf(cidr) !== cidr.address) return `${quoted} has host bits set`;
  if (cidr.prefixLength === 0) return `${quoted} is everything; write open`;
  const never = NEVER_REACHED.find((entry) => isWithin(cidr, entry.cidr));
  return never && `${quoted} is never reached by guests: it is ${never.what}`;
}

function isWithin(cidr: { readonly address: number; readonly prefixLength: number }, outerText: string): boolean {
  const outer = parseCidr(outerText);
  return outer !== undefined && outer.prefixLength <= cidr.prefixLength && overlaps(outer, cidr);
}

function nameProblem(target: string, quoted: string): string | undefined {
  if (target === '*') return `${quoted} is everything; write open`;
  const labels = target.replace(/^\*\./, '').split('.');
  if (target.length <= MAX_NAME_CHARACTERS && labels.every((label) => LABEL.test(label))) return undefined;
  return `${quoted} is no host name; write example.org, or *.example.org for every name below it`;
}
