import { firstTables } from './0001-first-tables.ts';
import { guestAgent } from './0002-guest-agent.ts';
import { vmOrigins } from './0003-vm-origins.ts';
import { workspacesAndLeases } from './0004-workspaces-and-leases.ts';
import { keptFree } from './0005-kept-free.ts';
import { egress } from './0006-egress.ts';
import type { Migration } from './migration.ts';

/** Every step of the schema, in order. */
export const MIGRATIONS: readonly Migration[] = [
  firstTables,
  guestAgent,
  vmOrigins,
  workspacesAndLeases,
  keptFree,
  egress,
];
