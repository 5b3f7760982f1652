import type { Migration } from './migration.ts';

/** `workspace` is JSON: it is read as a whole and never queried by. */
export const workspacesAndLeases: Migration = {
  version: 4,
  title: 'what was brought into a VM, and whether it lives by a lease',
  up: `
    ALTER TABLE vms ADD COLUMN workspace TEXT;
    ALTER TABLE vms ADD COLUMN leased INTEGER NOT NULL DEFAULT 0 CHECK (leased IN (0, 1));
  `,
};
