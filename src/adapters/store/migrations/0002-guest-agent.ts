import type { Migration } from './migration.ts';

export const guestAgent: Migration = {
  version: 2,
  title: 'whether a VM’s disk has a guest agent',
  up: `
    ALTER TABLE vms ADD COLUMN has_agent INTEGER NOT NULL DEFAULT 0 CHECK (has_agent IN (0, 1));
  `,
};
