import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { SqliteImageRepository } from '../../../src/adapters/store/image-repository.ts';
import { MIGRATIONS } from '../../../src/adapters/store/migrations/all-migrations.ts';
import type { Migration } from '../../../src/adapters/store/migrations/migration.ts';
import { openDatabase } from '../../../src/adapters/store/open-database.ts';
import { AppError } from '../../../src/core/app-error.ts';
import { imageRecord } from '../../support/records.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

/** A step after the last that we know, as the next banger will bring one. */
const NEXT: Migration = {
  version: MIGRATIONS.length + 1,
  title: 'a column of the future',
  up: 'ALTER TABLE images ADD COLUMN note TEXT',
};

function refusal(work: () => unknown): AppError {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('was not refused');
}

function schemaOf(path: string): unknown {
  using database = new DatabaseSync(path);
  return database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all();
}

describe('a new database', () => {
  test('is made 0600 with the folder above it 0700, in WAL mode, its writes synced, its references checked', async () => {
    const path = join(await makeTempDir(), 'state', 'state.db');
    using database = openDatabase(path);
    const images = new SqliteImageRepository(database);
    images.insert(imageRecord());
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(join(path, '..'))).mode & 0o777).toBe(0o700);
    expect(database.get('PRAGMA journal_mode')).toEqual({ journal_mode: 'wal' });
    expect(database.get('PRAGMA synchronous')).toEqual({ synchronous: 2 });
    expect(database.get('PRAGMA foreign_keys')).toEqual({ foreign_keys: 1 });
    expect(database.get('PRAGMA user_version')).toEqual({ user_version: MIGRATIONS.length });
  });

  test('a file that others could read is closed to them', async () => {
    const path = join(await makeTempDir(), 'state.db');
    await writeFile(path, '', { mode: 0o644 });
    openDatabase(path).close();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('the versions of the migrations are 1, 2, 3 without gaps', () => {
    expect(MIGRATIONS.map(({ version }) => version)).toEqual(MIGRATIONS.map((_, index) => index + 1));
  });
});

describe('migration', () => {
  test.each(MIGRATIONS.map((_, version) => version))(
    'from schema %i ends in the very schema of a new database',
    async (version) => {
      const dir = await makeTempDir();
      const [old, fresh] = [join(dir, 'old.db'), join(dir, 'fresh.db')];
      openDatabase(old, MIGRATIONS.slice(0, version)).close();
      openDatabase(old).close();
      openDatabase(fresh).close();
      expect(schemaOf(old)).toEqual(schemaOf(fresh));
    },
  );

  test('turns NAT into the policy that it was', async () => {
    const path = join(await makeTempDir(), 'state.db');
    openDatabase(path, MIGRATIONS.slice(0, 5)).close();
    {
      using old = new DatabaseSync(path);
      old.exec(`INSERT INTO images (id, name, created_at, record) VALUES ('img-1', 'base', 'now', '{}')`);
      for (const nat of [0, 1]) {
        old.exec(`INSERT INTO vms (id, name, image_id, image_name, cpus, memory_bytes, disk_bytes, nat, address, mac_address,
          tap_name, host_public_key, kernel_path, ephemeral, transient, created_at, phase, engine)
          VALUES ('vm-${nat}', 'vm-${nat}', 'img-1', 'base', 1, 1, 1, ${nat}, 'a${nat}', 'm${nat}', 't${nat}', 'k', 'k', 0, 0, 'now', 'ready', 'qemu')`);
      }
    }
    using now = openDatabase(path);
    expect(now.all('SELECT id, egress FROM vms ORDER BY id')).toEqual([
      { id: 'vm-0', egress: 'none' },
      { id: 'vm-1', egress: 'open' },
    ]);
  });

  test('keeps what is there, and a whole copy of it from before', async () => {
    const path = join(await makeTempDir(), 'state.db');
    {
      using before = openDatabase(path);
      new SqliteImageRepository(before).insert(imageRecord());
    }
    {
      using after = openDatabase(path, [...MIGRATIONS, NEXT]);
      expect(after.get('SELECT name, note FROM images')).toEqual({ name: 'base', note: null });
    }
    const copy = `${path}.schema-${MIGRATIONS.length}.bak`;
    expect((await stat(copy)).mode & 0o777).toBe(0o600);
    using restored = openDatabase(copy);
    expect(new SqliteImageRepository(restored).list()).toEqual([imageRecord()]);
  });

  test('a new database is not copied, nor one that is up to date', async () => {
    const dir = await makeTempDir();
    openDatabase(join(dir, 'state.db')).close();
    openDatabase(join(dir, 'state.db')).close();
    expect(await readdir(dir)).toEqual(['state.db']);
  });

  test('one that fails changes nothing, and works once it is mended', async () => {
    const path = join(await makeTempDir(), 'state.db');
    openDatabase(path).close();
    const before = schemaOf(path);
    const broken = { ...NEXT, up: `${NEXT.up}; CREATE TABLE images (id)` };
    const error = refusal(() => openDatabase(path, [...MIGRATIONS, broken]));
    expect(error).toMatchObject({ code: 'STORE_FAILED' });
    expect(error.message).toContain('images already exists');
    expect(schemaOf(path)).toEqual(before);
    // A copy that a crash left half-made is in nobody's way.
    await writeFile(`${path}.schema-${MIGRATIONS.length}.bak.tmp`, 'half');
    openDatabase(path, [...MIGRATIONS, NEXT]).close();
  });
});

describe('refused', () => {
  test('a database of a newer banger, with both versions named and the file untouched', async () => {
    const path = join(await makeTempDir(), 'state.db');
    openDatabase(path, [...MIGRATIONS, NEXT]).close();
    const before = await readFile(path);
    const error = refusal(() => openDatabase(path));
    expect(error.code).toBe('STORE_FAILED');
    expect(error.message).toContain(`newer banger: its schema is ${NEXT.version}, this one knows ${MIGRATIONS.length}`);
    expect(await readFile(path)).toEqual(before);
  });

  test('a database of another program', async () => {
    const path = join(await makeTempDir(), 'state.db');
    {
      using other = new DatabaseSync(path);
      other.exec('CREATE TABLE bookmarks (url)');
    }
    const error = refusal(() => openDatabase(path));
    expect(error).toMatchObject({ code: 'STORE_FAILED' });
    expect(error.message).toContain("not one of banger's");
  });

  test('a file that is no database', async () => {
    const path = join(await makeTempDir(), 'state.db');
    await writeFile(path, 'this is my diary, '.repeat(500));
    const error = refusal(() => openDatabase(path));
    expect(error).toMatchObject({ code: 'STORE_FAILED', details: { sqliteCode: 26 } });
    expect(error.message).toContain('damaged, or is no SQLite database');
    expect((await readFile(path, 'utf8')).startsWith('this is my diary')).toBe(true);
  });

  test('a database with a damaged page', async () => {
    const path = join(await makeTempDir(), 'state.db');
    {
      using database = openDatabase(path);
      const images = new SqliteImageRepository(database);
      for (let index = 0; index < 200; index += 1)
        images.insert(imageRecord({ id: `img-${index}`, name: `n${index}` }));
    }
    const bytes = await readFile(path);
    // The schema stays sound; pages that hold a record in the middle are overwritten.
    const middle = Math.floor(bytes.indexOf('"img-100"') / 4096) * 4096;
    bytes.fill(0xff, middle, middle + 8192);
    await writeFile(path, bytes);
    const error = refusal(() => openDatabase(path));
    expect(error.code).toBe('STORE_FAILED');
    expect(error.message).toContain('is damaged');
    expect(error.hint).toContain('copy');
  });

  test('a path that cannot be opened', async () => {
    const dir = await makeTempDir();
    expect(() => openDatabase(dir)).toThrow(/EISDIR/);
  });
});
