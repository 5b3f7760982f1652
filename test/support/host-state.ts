/** All that a daemon of one home has on this machine, as text that can be compared: equal before and after. */
import { lstat, readFile, readdir, readlink } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hasCode } from '../../src/host/error-code.ts';
import type { Paths } from '../../src/host/paths.ts';
import { ProcessError, run } from '../../src/host/process.ts';

export interface HostState {
  /** Command lines of processes that name the home, were started by its daemon, or are in its namespace. */
  readonly processes: readonly string[];
  /** Interfaces in the namespace; `absent` where there is no namespace. */
  readonly links: readonly string[];
  readonly rules: string;
  readonly mounts: readonly string[];
  readonly loops: readonly string[];
  readonly files: readonly string[];
  readonly rows: readonly string[];
}

export async function hostState(paths: Paths): Promise<HostState> {
  const processes = await processesOf(paths);
  return {
    processes: processes.map(({ commandLine }) => roleOf(commandLine)).sort(),
    links: await links(paths.namespaceName),
    rules: await rules(paths.namespaceName),
    mounts: (await lines('/proc/self/mountinfo')).filter((line) => names(line, paths)),
    loops: (await run(['losetup', '--list', '--noheadings', '--output', 'NAME,BACK-FILE'])).stdout
      .split('\n')
      .filter((line) => names(line, paths)),
    // Made by a forwarder that serves.
    files: (await files(paths)).filter((line) => !line.startsWith('run/forwarder.sock ')),
    rows: rows(paths.database),
  };
}

/** A forwarder is the same process whether it waits, as flock, or serves: it is its daemon's, and ends with it. */
function roleOf(commandLine: string): string {
  const gate = / --gate=(\S+)/.exec(commandLine)?.[1];
  return gate === undefined ? commandLine : `forwarder behind ${gate}`;
}

export interface FoundProcess {
  readonly pid: number;
  readonly commandLine: string;
}

export async function processesOf(paths: Paths): Promise<readonly FoundProcess[]> {
  const namespace = await netns(`/proc/self/root/run/netns/${paths.namespaceName}`, 'file');
  const found: FoundProcess[] = [];
  for (const entry of await readdir('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const commandLine = (await content(`/proc/${pid}/cmdline`)).replaceAll('\0', ' ').trim();
    // One that has ended and waits to be reaped has none.
    if (commandLine === '') continue;
    const environment = await content(`/proc/${pid}/environ`);
    const inside = namespace !== undefined && (await netns(`/proc/${pid}/ns/net`, 'link')) === namespace;
    if (names(commandLine, paths) || environment.includes(`BANGER_HOME=${paths.homePath}\0`) || inside) {
      found.push({ pid, commandLine });
    }
  }
  return found;
}

function names(text: string, { homePath, namespaceName }: Paths): boolean {
  return text.includes(homePath) || text.includes(namespaceName);
}

/** Inode of a network namespace; undefined where it is gone. */
async function netns(path: string, kind: 'file' | 'link'): Promise<number | undefined> {
  try {
    if (kind === 'file') return (await lstat(path)).ino;
    return Number(/\[(\d+)\]/.exec(await readlink(path))?.[1]);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

async function links(namespaceName: string): Promise<string[]> {
  const output = await inNamespace(namespaceName, ['ip', '-json', 'link']);
  if (output === undefined) return ['absent'];
  const found = JSON.parse(output) as { ifname: string; master?: string; address?: string }[];
  return found.map(({ ifname, master = '', address = '' }) => `${ifname} ${master} ${address}`).sort();
}

async function rules(namespaceName: string): Promise<string> {
  return (await inNamespace(namespaceName, ['nft', 'list', 'ruleset'])) ?? '';
}

async function inNamespace(name: string, argv: readonly string[]): Promise<string | undefined> {
  try {
    return (await run(['nsenter', `--net=/run/netns/${name}`, ...argv])).stdout;
  } catch (error) {
    if (error instanceof ProcessError && /No such file|Invalid argument/.test(error.stderr)) return undefined;
    throw error;
  }
}

/** Names, kinds and modes below state and runtime folder; what grows of itself is left out. */
async function files(paths: Paths): Promise<string[]> {
  const found: string[] = [];
  const walk = async (dir: string): Promise<void> => {
    for (const entry of await readdir(dir, { withFileTypes: true }).catch(noEntries)) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) await walk(path);
      if (path.startsWith(paths.database) || path.startsWith(paths.operationsDir)) continue;
      const facts = await lstat(path).catch((error: unknown) => {
        if (isGone(error)) return undefined;
        throw error;
      });
      if (facts) found.push(`${relative(paths.homePath, path)} ${facts.mode.toString(8)}`);
    }
  };
  await walk(paths.stateDir);
  await walk(paths.runtimeDir);
  await walk(join(paths.cacheDir, 'sources'));
  const pinned = (await content(paths.knownHosts)).split('\n').filter((line) => line !== '');
  return [...found.sort(), ...pinned];
}

function rows(database: string): string[] {
  const store = new DatabaseSync(database, { readOnly: true });
  try {
    return [
      ...store.prepare('SELECT name FROM images ORDER BY name').all(),
      ...store.prepare('SELECT name, image_id FROM image_name_reservations ORDER BY name').all(),
      ...store.prepare('SELECT name, address, phase, transient FROM vms ORDER BY name').all(),
      ...store.prepare("SELECT id, state FROM operations WHERE state = 'running'").all(),
    ].map((row) => JSON.stringify(row));
  } finally {
    store.close();
  }
}

async function lines(path: string): Promise<string[]> {
  return (await content(path)).split('\n');
}

async function content(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isGone(error)) return '';
    throw error;
  }
}

function noEntries(error: unknown): [] {
  if (isGone(error)) return [];
  throw error;
}

function isGone(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ESRCH', 'ENOTDIR', 'EACCES', 'EPERM');
}
