import type { Migration } from './migration.ts';

/**
 * Columns are what is queried, unique or referred to; the rest of an image and of an operation is one JSON text,
 * checked by its schema when it is read.
 */
export const firstTables: Migration = {
  version: 1,
  title: 'images, name reservations, VMs, operations',
  up: `
    CREATE TABLE images (
      id          TEXT PRIMARY KEY NOT NULL,
      name        TEXT NOT NULL UNIQUE,
      created_at  TEXT NOT NULL,
      record      TEXT NOT NULL
    ) STRICT;

    -- Names of images being made; gone when the image is there or its making has ended.
    CREATE TABLE image_name_reservations (
      name          TEXT PRIMARY KEY NOT NULL,
      image_id      TEXT NOT NULL
    ) STRICT;

    CREATE TABLE vms (
      id               TEXT PRIMARY KEY NOT NULL,
      name             TEXT NOT NULL UNIQUE,
      image_id         TEXT NOT NULL REFERENCES images (id) ON DELETE RESTRICT,
      image_name       TEXT NOT NULL,
      cpus             INTEGER NOT NULL,
      memory_bytes     INTEGER NOT NULL,
      disk_bytes       INTEGER NOT NULL,
      nat              INTEGER NOT NULL CHECK (nat IN (0, 1)),
      address          TEXT NOT NULL UNIQUE,
      mac_address      TEXT NOT NULL UNIQUE,
      tap_name         TEXT NOT NULL UNIQUE,
      host_public_key  TEXT NOT NULL,
      kernel_path      TEXT NOT NULL,
      initrd_path      TEXT,
      ephemeral        INTEGER NOT NULL CHECK (ephemeral IN (0, 1)),
      transient        INTEGER NOT NULL CHECK (transient IN (0, 1)),
      created_at       TEXT NOT NULL,
      phase            TEXT NOT NULL CHECK (phase IN ('creating', 'ready', 'deleting')),
      engine           TEXT NOT NULL
    ) STRICT;

    CREATE INDEX vms_by_image ON vms (image_id);

    -- number: the order in which they were started, whatever the clock did.
    CREATE TABLE operations (
      number      INTEGER PRIMARY KEY AUTOINCREMENT,
      id          TEXT NOT NULL UNIQUE,
      state       TEXT NOT NULL,
      record      TEXT NOT NULL
    ) STRICT;

    CREATE INDEX operations_running ON operations (number) WHERE state = 'running';
  `,
};
