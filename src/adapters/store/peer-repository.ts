import type { PeerRepository } from '../../core/vms/repository.ts';
import type { Database } from './database.ts';

const NAMES = `
  SELECT pair.vm AS vm, vms.name AS name FROM (
    SELECT one AS vm, other AS peer FROM vm_peers UNION ALL SELECT other, one FROM vm_peers
  ) AS pair JOIN vms ON vms.id = pair.peer ORDER BY vms.name`;
const ADDRESSES = `
  SELECT first.address AS one, second.address AS other FROM vm_peers
  JOIN vms AS first ON first.id = vm_peers.one JOIN vms AS second ON second.id = vm_peers.other`;

/** Pairs of VMs in the store; the deletion of a VM's record takes its pairs along. */
export class SqlitePeerRepository implements PeerRepository {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  names(): ReadonlyMap<string, readonly string[]> {
    const names = new Map<string, string[]>();
    for (const row of this.#database.all(NAMES)) {
      const vmId = String(row['vm']);
      names.set(vmId, [...(names.get(vmId) ?? []), String(row['name'])]);
    }
    return names;
  }

  addresses(): readonly (readonly [string, string])[] {
    return this.#database.all(ADDRESSES).map((row) => [String(row['one']), String(row['other'])] as const);
  }

  set(vmId: string, peerIds: readonly string[]): void {
    this.#database.transaction(() => {
      this.#database.run('DELETE FROM vm_peers WHERE one = :vmId OR other = :vmId', { vmId });
      for (const peerId of new Set(peerIds)) {
        const [one, other] = vmId < peerId ? [vmId, peerId] : [peerId, vmId];
        this.#database.run('INSERT INTO vm_peers (one, other) VALUES (:one, :other)', { one, other });
      }
    });
  }
}
