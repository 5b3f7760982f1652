import type { Migration } from './migration.ts';

/** Holds the place of a step that is made elsewhere: steps are counted, and none may be missing. */
export const keptFree: Migration = { version: 5, title: 'nothing yet', up: 'SELECT 1;' };
