import { AppError } from '../../core/app-error.ts';
import type { NameReservations } from '../../core/vms/repository.ts';
import type { Database } from './database.ts';

export class SqliteNameReservations implements NameReservations {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  reserveImageName(name: string, operationId: string): void {
    this.#database.transaction(() => {
      if (this.#database.get('SELECT 1 FROM images WHERE name = :name', { name })) {
        throw new AppError('NAME_TAKEN', `An image named "${name}" exists already`, { details: { name } });
      }
      const held = this.#database.get('SELECT operation_id FROM image_name_reservations WHERE name = :name', { name });
      if (held) {
        const holder = String(held['operation_id']);
        throw new AppError('NAME_TAKEN', `The name "${name}" is reserved by operation ${holder}`, {
          details: { name, operationId: holder },
        });
      }
      this.#database.run('INSERT INTO image_name_reservations (name, operation_id) VALUES (:name, :operationId)', {
        name,
        operationId,
      });
    });
  }

  release(operationId: string): void {
    this.#database.run('DELETE FROM image_name_reservations WHERE operation_id = :operationId', { operationId });
  }

  clearAll(): void {
    this.#database.run('DELETE FROM image_name_reservations');
  }
}
