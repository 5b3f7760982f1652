import type { Migration } from './migration.ts';

/** `egress` is the text that people write. Of two peers the one with the lesser id stands first: they are a pair once. */
export const egress: Migration = {
  version: 6,
  title: 'what a VM may reach outside, and which VMs may talk to each other',
  up: `
    ALTER TABLE vms ADD COLUMN egress TEXT NOT NULL DEFAULT 'none';
    UPDATE vms SET egress = 'open' WHERE nat = 1;
    ALTER TABLE vms DROP COLUMN nat;

    CREATE TABLE vm_peers (
      one    TEXT NOT NULL REFERENCES vms (id) ON DELETE CASCADE,
      other  TEXT NOT NULL REFERENCES vms (id) ON DELETE CASCADE,
      PRIMARY KEY (one, other),
      CHECK (one < other)
    ) STRICT, WITHOUT ROWID;

    CREATE INDEX vm_peers_by_other ON vm_peers (other);
  `,
};
