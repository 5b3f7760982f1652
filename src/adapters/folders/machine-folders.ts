import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { z } from 'zod';
import { ACCELERATORS, ENGINE_NAMES } from '../../contracts/vm.ts';
import { AppError } from '../../core/app-error.ts';
import { isId } from '../../core/ids.ts';
import type { MachineFolder, MachineFolders, MachineRuntime, NewerRuntime } from '../../core/vms/ports.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { fitsSocket, machineFiles, type Paths, SOCKET_PATH_MAX_BYTES } from '../../host/paths.ts';
import { isMissing, listOwned, makeOwned, ownedPath, removeOwned } from './owned-dir.ts';
import { visibleLines } from './visible-lines.ts';

/** Read from the console's end: enough for its last lines, whatever a guest has written before. */
const CONSOLE_TAIL_BYTES = 64 * 1024;

/** Of the runtime record's format. A change that an older daemon would misread takes the next number. */
const RUNTIME_VERSION = 1;

const runtimeSchema = z.object({
  version: z.literal(RUNTIME_VERSION),
  startedAt: z.string(),
  shape: z.object({ cpus: z.number(), memoryBytes: z.number() }).optional(),
  identity: z.object({
    engine: z.enum(ENGINE_NAMES),
    accelerator: z.enum(ACCELERATORS),
    pid: z.number().int(),
    startTimeTicks: z.number().int(),
    bootId: z.string(),
    controlSocketPath: z.string(),
    agentSocketPath: z.string().optional(),
    jailDir: z.string().optional(),
  }),
});

/** All that can be said of the record of a daemon yet to come. */
const newerRuntimeSchema = z.object({
  version: z
    .number()
    .int()
    .min(RUNTIME_VERSION + 1),
});

/** VMs' folders: a durable one with disk and console, a short-lived one with sockets. */
export function createMachineFolders(paths: Pick<Paths, 'vmsDir' | 'machinesDir'>): MachineFolders {
  const { vmsDir, machinesDir } = paths;
  const filesOf = (vmId: string): ReturnType<typeof machineFiles> =>
    machineFiles(ownedPath(vmsDir, vmId), ownedPath(machinesDir, vmId));

  return {
    locate: (vmId) => locate(filesOf(vmId)),
    async create(vmId) {
      const folder = locate(filesOf(vmId));
      await makeOwned(vmsDir, vmId);
      try {
        await makeOwned(machinesDir, vmId);
      } catch (error) {
        await removeOwned(vmsDir, vmId);
        throw error;
      }
      return folder;
    },
    async ensureRunDir(vmId) {
      await mkdir(ownedPath(machinesDir, vmId), { recursive: true, mode: 0o700 });
    },
    async remove(vmId) {
      await removeOwned(machinesDir, vmId);
      await removeOwned(vmsDir, vmId);
    },
    async list() {
      return [...new Set([...(await listOwned(vmsDir, isVmId)), ...(await listOwned(machinesDir, isVmId))])];
    },
    async readRuntime(vmId) {
      const path = filesOf(vmId).runtime;
      return parseRuntime(await readIfThere(path), path);
    },
    async writeRuntime(vmId, runtime) {
      const record = { version: RUNTIME_VERSION, ...runtime };
      await writeFileAtomic(filesOf(vmId).runtime, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    },
    async clearRuntime(vmId) {
      await rm(filesOf(vmId).runtime, { force: true });
    },
    consoleTail: (vmId, lines) => consoleTail(filesOf(vmId).console, lines),
  };
}

function isVmId(name: string): boolean {
  return isId('vm', name);
}

/** @throws AppError PATH_TOO_LONG where the control socket would not fit. */
function locate(files: ReturnType<typeof machineFiles>): MachineFolder {
  // The longest of them.
  const longest = files.agentSocket;
  if (!fitsSocket(longest)) {
    throw new AppError(
      'PATH_TOO_LONG',
      `${longest} is longer than the ${SOCKET_PATH_MAX_BYTES} bytes of a socket's path.`,
      { details: { path: longest } },
    );
  }
  return {
    diskPath: files.disk,
    consolePath: files.console,
    vmmLogPath: files.vmmLog,
    controlSocketPath: files.controlSocket,
    agentSocketPath: files.agentSocket,
  };
}

/** What is no record at all is no evidence: the VM counts as one of whose machine nothing was written down. */
function parseRuntime(text: string | undefined, path: string): MachineRuntime | NewerRuntime | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { data: known } = runtimeSchema.safeParse(value);
  if (known) return { identity: known.identity, startedAt: known.startedAt, shape: known.shape };
  const { data: newer } = newerRuntimeSchema.safeParse(value);
  return newer && { newerVersion: newer.version, path };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function consoleTail(path: string, lines: number): Promise<readonly string[]> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const length = Math.min(size, CONSOLE_TAIL_BYTES);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
      return visibleLines(buffer.toString('utf8', 0, bytesRead)).slice(-lines);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
