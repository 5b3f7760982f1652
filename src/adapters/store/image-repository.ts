import { type Image, imageSchema } from '../../contracts/image.ts';
import { AppError } from '../../core/app-error.ts';
import type { ImageRepository } from '../../core/images/ports.ts';
import type { Database, Row } from './database.ts';
import { parseRecord } from './json-record.ts';

/**
 * Images in the store. One damaged record fails the whole list, on purpose: an image that was left out of a list
 * would be taken for gone, and its files be removed.
 */
export class SqliteImageRepository implements ImageRepository {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  list(): readonly Image[] {
    return this.#database.all('SELECT id, record FROM images ORDER BY name').map(toImage);
  }

  findByName(name: string): Image | undefined {
    const row = this.#database.get('SELECT id, record FROM images WHERE name = :name', { name });
    return row && toImage(row);
  }

  /**
   * Inserts an image, and uses up the reservation that its id has of the name.
   *
   * @throws AppError NAME_TAKEN where an image has the name, or another that is being made has reserved it.
   */
  insert(image: Image): void {
    const { id, name, createdAt } = image;
    this.#database.transaction(() => {
      this.#assertFree(image);
      this.#database.run('DELETE FROM image_name_reservations WHERE name = :name', { name });
      this.#database.run('INSERT INTO images (id, name, created_at, record) VALUES (:id, :name, :createdAt, :record)', {
        id,
        name,
        createdAt,
        record: JSON.stringify(image),
      });
    });
  }

  /** @throws AppError IMAGE_NOT_FOUND, NAME_TAKEN. */
  update(image: Image): void {
    const { id, name, createdAt } = image;
    this.#database.transaction(() => {
      this.#assertFree(image);
      const changed = this.#database.run(
        'UPDATE images SET name = :name, created_at = :createdAt, record = :record WHERE id = :id',
        { id, name, createdAt, record: JSON.stringify(image) },
      );
      if (changed === 0) throw new AppError('IMAGE_NOT_FOUND', `Image ${name} (${id}) is gone`);
    });
  }

  /** Does nothing where it is gone. @throws AppError IMAGE_IN_USE naming the VMs made from it. */
  delete(id: string): void {
    this.#database.transaction(() => {
      const users = this.#database.all('SELECT name FROM vms WHERE image_id = :id ORDER BY name', { id });
      if (users.length > 0) {
        const vms = users.map((row) => String(row['name']));
        throw new AppError('IMAGE_IN_USE', `The image is used by ${vms.join(', ')}`, { details: { vms } });
      }
      this.#database.run('DELETE FROM images WHERE id = :id', { id });
    });
  }

  #assertFree(image: Image): void {
    const { id, name } = image;
    const other = this.#database.get('SELECT id FROM images WHERE name = :name AND id <> :id', { name, id });
    if (other) throw new AppError('NAME_TAKEN', `An image named "${name}" exists already`, { details: { name } });
    const reserved = this.#database.get('SELECT image_id FROM image_name_reservations WHERE name = :name', {
      name,
    });
    if (reserved && reserved['image_id'] !== id) {
      throw new AppError('NAME_TAKEN', `An image named "${name}" is being made just now`, { details: { name } });
    }
  }
}

function toImage(row: Row): Image {
  return parseRecord(imageSchema, row['record'], `image ${String(row['id'])}`);
}
