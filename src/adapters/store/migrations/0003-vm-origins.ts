import type { Migration } from './migration.ts';

export const vmOrigins: Migration = {
  version: 3,
  title: 'where the values of a VM came from',
  up: `
    ALTER TABLE vms ADD COLUMN origins TEXT NOT NULL DEFAULT '{"cpus":"unknown","memory":"unknown","disk":"unknown"}';
  `,
};
