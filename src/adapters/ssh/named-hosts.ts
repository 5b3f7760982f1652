/** Host keys by the names that people know VMs by, for their own ssh: always what the store says, and nothing more. */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { hasCode } from '../../host/error-code.ts';
import { withHost } from './known-hosts.ts';

export interface NamedHost {
  readonly name: string;
  /** `ssh-ed25519 AAAA...`. */
  readonly hostPublicKey: string;
}

export interface NamedHostsOptions {
  readonly path: string;
  /** Every VM there is now. */
  readonly list: () => readonly NamedHost[];
  readonly onFault: (error: unknown) => void;
}

/** Writes the file anew whenever it is told that something may have changed; of many calls at once the last one counts. */
export class NamedHosts {
  readonly #options: NamedHostsOptions;
  #writing: Promise<void> | undefined;
  #isStale = false;

  constructor(options: NamedHostsOptions) {
    this.#options = options;
  }

  /** @returns when the file is as the store was at this call, or later; never rejects. */
  async sync(): Promise<void> {
    this.#isStale = true;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      try {
        await this.#writeOnce();
      } catch (error) {
        this.#options.onFault(error);
      }
    }
  }

  async #writeOnce(): Promise<void> {
    const { path, list } = this.#options;
    const text = list().reduce((hosts, { name, hostPublicKey }) => withHost(hosts, `${name}.vm`, hostPublicKey), '');
    // Where there is no VM there is nothing of one.
    if (text === '') return rm(path, { force: true });
    if (text === (await readIfPresent(path))) return;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFileAtomic(path, text, { mode: 0o600 });
  }
}

async function readIfPresent(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return '';
    throw error;
  }
}
