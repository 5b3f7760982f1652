import { readdir, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError, describe } from '../../core/app-error.ts';
import type { MachineIdentity } from '../../core/vms/engine.ts';
import { commandLine } from '../../host/command-line.ts';
import { hasCode } from '../../host/error-code.ts';
import { killAndWait } from '../../host/process-end.ts';
import { isAlive } from '../../host/process-identity.ts';
import { ApiClient } from './api-client.ts';
import { ApiError } from './api-message.ts';
import { keepSmall } from './bounded-files.ts';
import { readInstance, readVersionOnceListening } from './control.ts';
import { watchEnd } from './end-watch.ts';
import { idInCommandLine } from './evidence.ts';
import { FirecrackerMachine } from './machine.ts';
import { removeMachine } from './machine-removal.ts';
import type { FirecrackerVersion } from './version.ts';

const QUERY_TIMEOUT_MS = 10_000;
const KILL_GRACE_MS = 10_000;

/**
 * Finds a VMM again by its evidence: the very process, its command line, and who answers on its API socket.
 *
 * @returns undefined where it is gone, is another program, or had never let its guest run (it is ended then); what it
 * left is removed.
 * @throws AppError ENGINE_FAILED where it runs and cannot be controlled.
 */
export async function adopt(
  identity: MachineIdentity,
  log: (line: string) => void,
): Promise<FirecrackerMachine | undefined> {
  const id = (await isAlive(identity))
    ? idInCommandLine(await commandLine(identity.pid), identity.controlSocketPath)
    : undefined;
  if (id === undefined) {
    await removeMachine(identity);
    return undefined;
  }
  const api = new ApiClient(identity.controlSocketPath);
  try {
    const version = await greet(api, id);
    if (version) return await adopted(identity, { api, version, log });
    // Between its start and its guest's the daemon ended: nothing has run in it, and nobody waits for it.
    api.close();
    await killAndWait(identity, KILL_GRACE_MS);
    await removeMachine(identity);
    return undefined;
  } catch (error) {
    api.close();
    if (!(error instanceof ApiError)) throw error;
    if (!(await isAlive(identity))) {
      await removeMachine(identity);
      return undefined;
    }
    throw uncontrolled(identity, id, error);
  }
}

/** One that was started a moment ago may not listen yet. @returns undefined where its guest has never run. */
async function greet(api: ApiClient, id: string): Promise<FirecrackerVersion | undefined> {
  const version = await readVersionOnceListening(api, { timeoutMs: QUERY_TIMEOUT_MS });
  const instance = await readInstance(api, { timeoutMs: QUERY_TIMEOUT_MS });
  if (instance.id !== id) {
    throw new ApiError('protocol', `Another VMM (${instance.id}) answers on the socket of ${id}.`);
  }
  return instance.state === 'Not started' ? undefined : version;
}

async function adopted(
  identity: MachineIdentity,
  found: { readonly api: ApiClient; readonly version: FirecrackerVersion; readonly log: (line: string) => void },
): Promise<FirecrackerMachine> {
  const files = await filesOf(identity);
  const stopBounding = keepSmall(
    [files.consolePath, files.vmmLogPath].filter((path) => path !== undefined),
    found.log,
  );
  const left = new AbortController();
  const machine = new FirecrackerMachine({
    identity,
    version: found.version,
    bootRetries: 0,
    api: found.api,
    child: undefined,
    ...files,
    onLeft: () => {
      stopBounding();
      left.abort();
    },
  });
  const sayAndGoOn = (error: unknown): boolean => {
    found.log(describe(error));
    return false;
  };
  const giveUp = (): Promise<boolean> => machine.killHard().then(() => true, sayAndGoOn);
  void watchEnd(identity, giveUp, left.signal).then((isGone) => {
    if (isGone) void machine.noteEnd();
  }, sayAndGoOn);
  return machine;
}

/** Nobody has written down where its console and log are; the process has them open. */
async function filesOf({
  pid,
  jailDir,
}: MachineIdentity): Promise<{ readonly consolePath: string | undefined; readonly vmmLogPath: string | undefined }> {
  const vmmLogPath = await linkTarget(`/proc/${pid}/fd/1`);
  if (jailDir !== undefined) return { consolePath: join(jailDir, 'root', 'console.log'), vmmLogPath };
  for (const descriptor of await readdir(`/proc/${pid}/fd`).catch(noneWhenGone)) {
    const target = await linkTarget(`/proc/${pid}/fd/${descriptor}`);
    if (target !== undefined && basename(target) === 'console.log') return { consolePath: target, vmmLogPath };
  }
  return { consolePath: undefined, vmmLogPath };
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    const target = await readlink(path);
    return target.startsWith('/') ? target : undefined;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}

function noneWhenGone(error: unknown): string[] {
  if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return [];
  throw error;
}

function uncontrolled({ pid, controlSocketPath }: MachineIdentity, id: string, error: ApiError): AppError {
  return new AppError('ENGINE_FAILED', `${id} runs (pid ${pid}) and cannot be controlled: ${describe(error)}`, {
    hint: `End it with \`kill ${pid}\`, then run \`banger daemon stop\`: the next command finds the VM stopped.`,
    details: { pid, controlSocketPath },
    cause: error,
  });
}
