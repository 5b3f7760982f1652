import { AppError } from '../../core/app-error.ts';
import type { NameReservations } from '../../core/vms/repository.ts';
import type { Database } from './database.ts';

export class SqliteNameReservations implements NameReservations {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  reserveImageName(name: string, imageId: string): void {
    this.#database.transaction(() => {
      if (this.#database.get('SELECT 1 FROM images WHERE name = :name', { name })) {
        throw new AppError('NAME_TAKEN', `An image named "${name}" exists already`, { details: { name } });
      }
      const held = this.#database.get('SELECT 1 FROM image_name_reservations WHERE name = :name', { name });
      if (held) {
        throw new AppError('NAME_TAKEN', `An image named "${name}" is being made just now`, {
          hint: '`banger op list` shows by what; wait for it, cancel it, or choose another name.',
          details: { name },
        });
      }
      this.#database.run('INSERT INTO image_name_reservations (name, image_id) VALUES (:name, :imageId)', {
        name,
        imageId,
      });
    });
  }

  release(imageId: string): void {
    this.#database.run('DELETE FROM image_name_reservations WHERE image_id = :imageId', { imageId });
  }

  clearAll(): void {
    this.#database.run('DELETE FROM image_name_reservations');
  }
}
