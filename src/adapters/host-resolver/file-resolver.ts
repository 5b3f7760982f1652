/** The host's resolver: its drop-in files, what has it read them, and what it answers. */
import { lookup, Resolver } from 'node:dns/promises';
import { chmod, mkdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ResolverWiring, resolverWiringSchema } from '../../contracts/dns.ts';
import { DNS_PROBE_LABEL, DNS_ZONE } from '../../contracts/forwarding.ts';
import { AppError, describe } from '../../core/app-error.ts';
import type { DnsEndpoint, HostResolver, ResolverFacts } from '../../core/resolver/ports.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { errorCode, hasCode } from '../../host/error-code.ts';
import { ProcessError, run } from '../../host/process.ts';
import { readResolverFacts } from './resolver-facts.ts';

const PROBE_NAME = `${DNS_PROBE_LABEL}.${DNS_ZONE}`;
const RELOAD_TIMEOUT_MS = 30_000;
const ASK_TIMEOUT_MS = 5_000;
const OWN_ASK_TIMEOUT_MS = 1_000;

export interface FileResolverOptions {
  /** Where it is written down what was changed. */
  readonly recordPath: string;
  /** The host's file system; tests have one of their own. */
  readonly root?: string;
  /** Runs the program that has the resolver read its files. @throws ProcessError. */
  readonly runReload?: (argv: ResolverWiring['reload']) => Promise<void>;
}

export class FileResolver implements HostResolver {
  readonly #recordPath: string;
  readonly #root: string;
  readonly #runReload: (argv: ResolverWiring['reload']) => Promise<void>;

  constructor({ recordPath, root = '/', runReload = runProgram }: FileResolverOptions) {
    this.#recordPath = recordPath;
    this.#root = root;
    this.#runReload = runReload;
  }

  facts(): Promise<ResolverFacts> {
    return readResolverFacts(this.#root);
  }

  async readRecord(): Promise<ResolverWiring | undefined> {
    const text = await readIfThere(this.#recordPath);
    if (text === undefined) return undefined;
    const record = resolverWiringSchema.safeParse(parseJson(text));
    if (record.success) return record.data;
    throw new AppError('RESOLVER_FAILED', `${this.#recordPath} is no record that this banger can read.`, {
      hint: 'Use the banger that wrote it; or undo by hand what it names, and remove it.',
      details: { path: this.#recordPath },
    });
  }

  async writeRecord(wiring: ResolverWiring): Promise<void> {
    await mkdir(dirname(this.#recordPath), { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#recordPath, `${JSON.stringify(wiring, undefined, 2)}\n`, { mode: 0o600 });
  }

  async removeRecord(): Promise<void> {
    await rm(this.#recordPath, { force: true });
  }

  read(path: string): Promise<string | undefined> {
    return readIfThere(this.#at(path));
  }

  async hasFolderOf(path: string): Promise<boolean> {
    try {
      return (await stat(dirname(this.#at(path)))).isDirectory();
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  async write(path: string, content: string): Promise<void> {
    const target = this.#at(path);
    try {
      const made = await mkdir(dirname(target), { recursive: true });
      await writeFileAtomic(target, content, { mode: 0o644 });
      // Whatever our umask is: the resolver that reads it is not root.
      await chmod(target, 0o644);
      if (made !== undefined) await chmod(dirname(target), 0o755);
    } catch (error) {
      throw failed(`${path} could not be written: ${describe(error)}`, error);
    }
  }

  async remove(path: string, { folder }: { readonly folder: boolean }): Promise<void> {
    try {
      await rm(this.#at(path), { force: true });
      if (folder) await rmdir(dirname(this.#at(path)));
    } catch (error) {
      // Somebody else has laid something into the folder meanwhile, or has removed it.
      if (!hasCode(error, 'ENOTEMPTY', 'ENOENT'))
        throw failed(`${path} could not be removed: ${describe(error)}`, error);
    }
  }

  async reload(argv: ResolverWiring['reload']): Promise<void> {
    try {
      await this.#runReload(argv);
    } catch (error) {
      throw failed(`The resolver did not read its files: ${describe(error)}`, error);
    }
  }

  async askServer({ address, port }: DnsEndpoint): Promise<string | undefined> {
    const resolver = new Resolver({ timeout: OWN_ASK_TIMEOUT_MS, tries: 1 });
    resolver.setServers([`${address}:${port}`]);
    return answerOf(async () => (await resolver.resolve4(PROBE_NAME))[0]);
  }

  async askHost(): Promise<string | undefined> {
    // The system's resolver cannot be told to hurry; what comes later counts as no answer.
    const late = delay(ASK_TIMEOUT_MS, undefined, { ref: false });
    return answerOf(() => Promise.race([lookup(PROBE_NAME, { family: 4 }).then(({ address }) => address), late]));
  }

  #at(path: string): string {
    return join(this.#root, path);
  }
}

async function runProgram(argv: ResolverWiring['reload']): Promise<void> {
  await run(argv, { timeoutMs: RELOAD_TIMEOUT_MS });
}

async function answerOf(ask: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await ask();
  } catch (error) {
    // Every failure of node:dns has a code (ENOTFOUND, ECONNREFUSED, EAI_AGAIN); all mean that there is no answer.
    if (errorCode(error) !== undefined) return undefined;
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function failed(message: string, cause: unknown): AppError {
  const stderr = cause instanceof ProcessError ? { stderr: cause.stderr.slice(-2000) } : {};
  return new AppError('RESOLVER_FAILED', message, { details: stderr, cause });
}
