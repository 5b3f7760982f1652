import { z } from 'zod';
import { egressSchema } from '../../contracts/egress.ts';
import { ENGINE_NAMES, vmOriginsSchema } from '../../contracts/vm.ts';
import { workspaceSchema } from '../../contracts/workspace.ts';
import { AppError } from '../../core/app-error.ts';
import type { VmRecord, VmRepository } from '../../core/vms/repository.ts';
import type { Database, Row } from './database.ts';

const flagSchema = z.union([z.literal(0), z.literal(1)]).transform((flag) => flag === 1);

const originsSchema = z.string().transform((text, context) => {
  const parsed = vmOriginsSchema.safeParse(parseLoosely(text));
  if (parsed.success) return parsed.data;
  context.addIssue({ code: 'custom', message: 'not the origins of its values' });
  return z.NEVER;
});

/** JSON text; in a record that was written once and is never queried by. */
const workspaceText = z.string().transform((text, context) => {
  const parsed = workspaceSchema.safeParse(parseLoosely(text));
  if (parsed.success) return parsed.data;
  context.addIssue({ code: 'custom', message: 'not a workspace' });
  return z.NEVER;
});

/** A row of `vms`, turned into a record. */
const rowSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    image_id: z.string(),
    image_name: z.string(),
    cpus: z.number(),
    memory_bytes: z.number(),
    disk_bytes: z.number(),
    egress: egressSchema,
    address: z.string(),
    mac_address: z.string(),
    tap_name: z.string(),
    host_public_key: z.string(),
    kernel_path: z.string(),
    initrd_path: z.string().nullable(),
    ephemeral: flagSchema,
    transient: flagSchema,
    created_at: z.string(),
    phase: z.enum(['creating', 'ready', 'deleting']),
    engine: z.enum(ENGINE_NAMES),
    has_agent: flagSchema,
    origins: originsSchema,
    leased: flagSchema,
    workspace: workspaceText.nullable(),
  })
  .transform((row): VmRecord => ({
    id: row.id,
    name: row.name,
    imageId: row.image_id,
    imageName: row.image_name,
    cpus: row.cpus,
    memoryBytes: row.memory_bytes,
    diskBytes: row.disk_bytes,
    egress: row.egress,
    address: row.address,
    macAddress: row.mac_address,
    tapName: row.tap_name,
    hostPublicKey: row.host_public_key,
    kernelPath: row.kernel_path,
    initrdPath: row.initrd_path ?? undefined,
    ephemeral: row.ephemeral,
    transient: row.transient,
    createdAt: row.created_at,
    phase: row.phase,
    engine: row.engine,
    hasAgent: row.has_agent,
    origins: row.origins,
    leased: row.leased,
    workspace: row.workspace ?? undefined,
  }));

/** Columns beside `id`, in one order for insert and update. */
const COLUMNS = Object.keys(rowSchema.in.shape).filter((column) => column !== 'id');
const INSERT = `INSERT INTO vms (id, ${COLUMNS.join(', ')}) VALUES (:id, ${COLUMNS.map((name) => `:${name}`).join(', ')})`;
const UPDATE = `UPDATE vms SET ${COLUMNS.map((name) => `${name} = :${name}`).join(', ')} WHERE id = :id`;

/**
 * VMs in the store. One damaged record fails the whole list, on purpose: a VM that was left out of a list would be
 * taken for gone, and its disk be removed.
 */
export class SqliteVmRepository implements VmRepository {
  readonly #database: Database;
  /** The last list: to read and check a thousand rows takes 15 ms, and every command that names a VM asks for them. */
  #listed: { readonly mark: string; readonly records: readonly VmRecord[] } | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  list(): readonly VmRecord[] {
    const mark = this.#database.writeMark();
    if (mark !== undefined && mark === this.#listed?.mark) return this.#listed.records;
    const records = this.#database.all('SELECT * FROM vms ORDER BY name').map(toRecord);
    // Read after the mark: a write of another process in between makes the next list read again, at worst.
    this.#listed = mark === undefined ? undefined : { mark, records };
    return records;
  }

  find(id: string): VmRecord | undefined {
    const row = this.#database.get('SELECT * FROM vms WHERE id = :id', { id });
    return row && toRecord(row);
  }

  findByName(name: string): VmRecord | undefined {
    const row = this.#database.get('SELECT * FROM vms WHERE name = :name', { name });
    return row && toRecord(row);
  }

  /** @throws AppError IMAGE_NOT_FOUND where the image was deleted meanwhile; NAME_TAKEN; what `choose` throws. */
  reserve(
    choose: (taken: { readonly names: ReadonlySet<string>; readonly addresses: ReadonlySet<string> }) => VmRecord,
  ): VmRecord {
    return this.#database.transaction(() => {
      const rows = this.#database.all('SELECT name, address FROM vms');
      const names = new Set(rows.map((row) => String(row['name'])));
      const addresses = new Set(rows.map((row) => String(row['address'])));
      const record = choose({ names, addresses });
      if (names.has(record.name)) {
        throw new AppError('NAME_TAKEN', `A VM named "${record.name}" exists already`, {
          details: { name: record.name },
        });
      }
      if (!this.#database.get('SELECT 1 FROM images WHERE id = :id', { id: record.imageId })) {
        throw new AppError('IMAGE_NOT_FOUND', `The image "${record.imageName}" is gone`, {
          details: { name: record.imageName, id: record.imageId },
        });
      }
      this.#database.run(INSERT, toRow(record));
      return record;
    });
  }

  /** @throws AppError VM_NOT_FOUND. */
  update(record: VmRecord): void {
    if (this.#database.run(UPDATE, toRow(record)) === 0) {
      throw new AppError('VM_NOT_FOUND', `VM ${record.name} (${record.id}) is gone`);
    }
  }

  rename(id: string, name: string): VmRecord {
    return this.#database.transaction(() => {
      const other = this.#database.get('SELECT 1 FROM vms WHERE name = :name AND id <> :id', { name, id });
      if (other) throw new AppError('NAME_TAKEN', `A VM named "${name}" exists already`, { details: { name } });
      const record = this.find(id);
      if (!record) throw new AppError('VM_NOT_FOUND', `VM ${id} is gone`);
      const renamed = { ...record, name };
      this.update(renamed);
      return renamed;
    });
  }

  /** Does nothing where it is gone. */
  delete(id: string): void {
    this.#database.run('DELETE FROM vms WHERE id = :id', { id });
  }

  usingImage(imageId: string): readonly VmRecord[] {
    return this.#database.all('SELECT * FROM vms WHERE image_id = :imageId ORDER BY name', { imageId }).map(toRecord);
  }
}

/** Text that is no JSON is told of by the schema. */
function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function toRecord(row: Row): VmRecord {
  const result = rowSchema.safeParse(row);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new AppError('STORE_FAILED', `The record of VM ${String(row['id'])} is damaged: ${issue?.message}`, {
    details: { id: row['id'], column: issue?.path.join('.') },
  });
}

function toRow(record: VmRecord): z.input<typeof rowSchema> {
  return {
    id: record.id,
    name: record.name,
    image_id: record.imageId,
    image_name: record.imageName,
    cpus: record.cpus,
    memory_bytes: record.memoryBytes,
    disk_bytes: record.diskBytes,
    egress: record.egress,
    address: record.address,
    mac_address: record.macAddress,
    tap_name: record.tapName,
    host_public_key: record.hostPublicKey,
    kernel_path: record.kernelPath,
    initrd_path: record.initrdPath ?? null,
    ephemeral: record.ephemeral ? 1 : 0,
    transient: record.transient ? 1 : 0,
    created_at: record.createdAt,
    phase: record.phase,
    engine: record.engine,
    has_agent: record.hasAgent ? 1 : 0,
    origins: JSON.stringify(record.origins),
    leased: record.leased ? 1 : 0,
    workspace: record.workspace ? JSON.stringify(record.workspace) : null,
  };
}
