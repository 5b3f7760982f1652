/** Collects what is true of this host for `doctor`. Looks and never touches. */
import { access, constants, readFile, statfs } from 'node:fs/promises';
import { arch, freemem, machine, platform, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { describe } from '../../core/app-error.ts';
import { HOST_PROGRAMS, type HostProgram } from '../../core/doctor/host-programs.ts';
import type {
  HostFacts,
  HostInspector,
  InspectRequest,
  PrivateDirFact,
  ProgramFact,
  RouteFact,
} from '../../core/doctor/ports.ts';
import { errorCode, hasCode } from '../../host/error-code.ts';
import { SOCKET_PATH_MAX_BYTES, machineFiles } from '../../host/paths.ts';
import { UnsafeDirError, assertPrivateDir } from '../../host/private-dir.ts';
import { ProcessError, run } from '../../host/process.ts';
import { findProgram } from '../../host/search-path.ts';
import { inspectDatabase } from './database-header.ts';
import { KVM_DEVICE, probeDevice } from './device-probe.ts';
import { probeFeatures } from './kernel-features.ts';
import { parseAvailableBytes, parseNameServers, parseRoutes, parseVersion } from './parse-facts.ts';

const PROGRAM_TIMEOUT_MS = 10_000;

/** An id as long as every VM's: the path to its socket is the longest we bind. */
const SAMPLE_VM_ID = 'vm-0000000000';

export class HostFactsCollector implements HostInspector {
  readonly #uid: number;
  readonly #knownSchemaVersion: number;

  /** @param facts.knownSchemaVersion newest schema of the database that this program knows. */
  constructor(facts: { readonly uid: number; readonly knownSchemaVersion: number }) {
    this.#uid = facts.uid;
    this.#knownSchemaVersion = facts.knownSchemaVersion;
  }

  async inspect(request: InspectRequest, signal: AbortSignal): Promise<HostFacts> {
    const socketPath = machineFiles(request.machinesDir, join(request.machinesDir, SAMPLE_VM_ID)).agentSocket;
    const programs = await findPrograms(request.qemuPath, signal);
    const [tunDevice, kvmDevice, features, stateDir, runtimeFact, memory, nameServers, routes, rulesetJson, database] =
      await Promise.all([
        probeDevice('/dev/net/tun'),
        probeDevice(KVM_DEVICE),
        probeFeatures({ isRoot: this.#uid === 0, programs }, signal),
        inspectStateDir(request.stateDir),
        inspectPrivateDir(request.runtimeDir, this.#uid),
        inspectMemory(),
        readNameServers(),
        programs.ip ? readRoutes(signal) : [],
        programs.nft ? readRuleset(signal) : undefined,
        inspectDatabase(request.databasePath, this.#knownSchemaVersion),
      ]);
    return {
      architecture: arch() === 'x64' ? 'x86_64' : machine(),
      platform: platform(),
      uid: this.#uid,
      programs,
      tunDevice,
      kvmDevice,
      features,
      stateDir,
      runtimeDir: { path: request.runtimeDir, fact: runtimeFact },
      longestSocket: { path: socketPath, sizeBytes: Buffer.byteLength(socketPath), maxBytes: SOCKET_PATH_MAX_BYTES },
      memory,
      nameServers,
      routes,
      rulesetJson,
      database: { path: request.databasePath, fact: database },
    };
  }
}

async function findPrograms(qemuPath: string | undefined, signal: AbortSignal): Promise<HostFacts['programs']> {
  const names = Object.keys(HOST_PROGRAMS) as HostProgram[];
  const found = await Promise.all(
    names.map(async (name) => {
      const program = name === 'qemu-system-x86_64' ? (qemuPath ?? name) : name;
      return [name, await inspectProgram(program, HOST_PROGRAMS[name], signal)] as const;
    }),
  );
  return Object.fromEntries(found) as Record<HostProgram, ProgramFact | undefined>;
}

async function inspectProgram(
  program: string,
  versionArgs: readonly string[],
  signal: AbortSignal,
): Promise<ProgramFact | undefined> {
  const path = await findProgram(program);
  if (path === undefined) return undefined;
  try {
    const { stdout, stderr } = await run([path, ...versionArgs], { signal, timeoutMs: PROGRAM_TIMEOUT_MS });
    return { path, version: parseVersion(stdout + stderr) };
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    // resize2fs tells its version and ends with 1; a program that cannot even be started is as good as missing.
    return error.failure === 'exit' ? { path, version: parseVersion(error.stdout + error.stderr) } : undefined;
  }
}

async function inspectStateDir(path: string): Promise<HostFacts['stateDir']> {
  // What is not there yet will be made in the nearest folder that is.
  let existing = path;
  while (!(await isPresent(existing)) && dirname(existing) !== existing) existing = dirname(existing);
  const { bavail, bsize } = await statfs(existing);
  return { path, writable: await mayWrite(existing), freeBytes: bavail * bsize };
}

async function isPresent(path: string): Promise<boolean> {
  return mayAccess(path, constants.F_OK);
}

async function mayWrite(path: string): Promise<boolean> {
  return mayAccess(path, constants.W_OK | constants.X_OK);
}

async function mayAccess(path: string, mode: number): Promise<boolean> {
  try {
    await access(path, mode);
    return true;
  } catch (error) {
    // Each of these codes means no; why is for the check's own words.
    if (errorCode(error) !== undefined) return false;
    throw error;
  }
}

async function inspectPrivateDir(path: string, uid: number): Promise<PrivateDirFact> {
  try {
    await assertPrivateDir(path, uid);
    return { state: 'safe' };
  } catch (error) {
    if (error instanceof UnsafeDirError) return { state: 'unsafe', message: error.message, fix: error.fix };
    if (hasCode(error, 'ENOENT')) return { state: 'absent' };
    return { state: 'unsafe', message: `${path}: ${describe(error)}`, fix: 'Set BANGER_HOME to a folder of yours.' };
  }
}

async function inspectMemory(): Promise<HostFacts['memory']> {
  const available = parseAvailableBytes(await readFile('/proc/meminfo', 'utf8'));
  return { totalBytes: totalmem(), availableBytes: available ?? freemem() };
}

async function readNameServers(): Promise<readonly string[]> {
  try {
    return parseNameServers(await readFile('/etc/resolv.conf', 'utf8'));
  } catch (error) {
    // A host without the file resolves nothing: that is what the check says of an empty list.
    if (errorCode(error) !== undefined) return [];
    throw error;
  }
}

/** Only root is told. */
async function readRuleset(signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await run(['nft', '-j', 'list', 'ruleset'], { signal, timeoutMs: PROGRAM_TIMEOUT_MS })).stdout;
  } catch (error) {
    if (error instanceof ProcessError && error.failure !== 'aborted') return undefined;
    throw error;
  }
}

async function readRoutes(signal: AbortSignal): Promise<readonly RouteFact[]> {
  try {
    const { stdout } = await run(['ip', '-json', '-4', 'route', 'show'], { signal, timeoutMs: PROGRAM_TIMEOUT_MS });
    return parseRoutes(stdout);
  } catch (error) {
    // No routes are known then; `ip` itself has a check of its own.
    if (error instanceof ProcessError && error.failure !== 'aborted') return [];
    throw error;
  }
}
