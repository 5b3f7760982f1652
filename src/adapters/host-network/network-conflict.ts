/** Whether the guests' network is used by somebody else. Pure. */
import { cidrsOverlap } from '../../core/networks/address-plan.ts';
import type { BridgePlan } from '../../core/networks/ports.ts';
import type { LinkFacts, RouteFacts } from './ip-json.ts';

export interface NetworkConflict {
  readonly device: string;
  readonly cidr: string;
}

/** 0.0.0.0/0, and the halves by which VPNs stand in for it: the way to everywhere is in nobody's way. */
const DEFAULT_ROUTE_MAX_PREFIX = 1;

/** The first address or route of another interface that shares an address with the guests' network. */
export function findConflict(
  plan: BridgePlan,
  links: readonly LinkFacts[],
  routes: readonly RouteFacts[],
): NetworkConflict | undefined {
  const used = [
    ...links.flatMap((link) => link.addresses.map((cidr) => ({ device: link.name, cidr }))),
    ...routes.filter((route) => prefixLength(route.cidr) > DEFAULT_ROUTE_MAX_PREFIX),
  ];
  return used.find((entry) => entry.device !== plan.bridgeName && cidrsOverlap(entry.cidr, plan.cidr));
}

function prefixLength(cidr: string): number {
  return Number(cidr.split('/')[1]);
}
