/** pasta: joins banger's namespace to the outside in user space; nothing of the host's network is changed for it. */
import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, abortCause } from '../../core/app-error.ts';
import { hasCode } from '../../host/error-code.ts';
import type { Paths } from '../../host/paths.ts';
import { type ProcessIdentity, identifyProcess, isAlive, signalProcess } from '../../host/process-identity.ts';
import { ProcessError, type Supervised, supervise } from '../../host/process.ts';
import { hasGlobalAddress } from './ip-json.ts';
import { NAMESPACE_NAME_SERVER } from './resolver.ts';
import { runTool, toolFailure } from './tool.ts';

/** The namespace's way out; pasta's own choice would be the name of the host's interface. */
const UPLINK = 'eth0';

const START_TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 20;
/** pasta watches the namespace's name and ends by itself when it goes. */
const END_TIMEOUT_MS = 3_000;
const KILL_TIMEOUT_MS = 2_000;

export function namespacePath(name: string): string {
  return `/run/netns/${name}`;
}

/**
 * pasta in the foreground, in a namespace that exists already. Without `--netns-only --runas 0` it would drop to
 * nobody and fail as root. No port is forwarded in either direction, and the gateway's address is not the host's
 * loopback. Name servers must not be given by `--dns`: `--dns-forward` does nothing then (passt 2023-03).
 */
export function pastaArgv(name: string, pidFile: string): [string, ...string[]] {
  return [
    'pasta',
    '--foreground',
    '--config-net',
    '--netns-only',
    '--runas=0',
    `--ns-ifname=${UPLINK}`,
    '--tcp-ports=none',
    '--udp-ports=none',
    '--tcp-ns=none',
    '--udp-ns=none',
    '--no-map-gw',
    `--dns-forward=${NAMESPACE_NAME_SERVER}`,
    `--pid=${pidFile}`,
    `--netns=${namespacePath(name)}`,
  ];
}

/**
 * Makes sure that a pasta serves the namespace. The evidence is the kernel's: its interface lives as long as the pasta
 * that made it. Two that call at once start two, of which the interface lets one in; the other ends.
 *
 * @returns false where the host has no route to the outside: guests and daemon work among themselves then.
 * @throws AppError HOST_TOOL_MISSING, NETWORK_UNAVAILABLE; the signal's reason.
 */
export async function ensurePasta(paths: Paths, signal: AbortSignal): Promise<boolean> {
  const name = paths.namespaceName;
  if ((await readUplink(name, signal)) === 'ready') return true;
  const pidFile = `${paths.pastaPid}.${randomBytes(4).toString('hex')}`;
  const logStart = await sizeOf(paths.pastaLog);
  const pasta = await startPasta(name, pidFile, paths);
  try {
    if (await awaitUplink(name, pidFile, { pasta, signal })) return true;
    const words = await wordsSince(paths.pastaLog, logStart);
    if (!(await hasOutside(signal))) return false;
    throw new AppError('NETWORK_UNAVAILABLE', `pasta could not join the namespace to the outside: ${words}`, {
      hint: `Its log is ${paths.pastaLog}; \`banger doctor\` checks what it needs.`,
      details: { log: paths.pastaLog, words },
    });
  } finally {
    await keepPidFile(pidFile, paths.pastaPid);
  }
}

async function startPasta(name: string, pidFile: string, paths: Paths): Promise<Supervised> {
  try {
    return await supervise(pastaArgv(name, pidFile), { logPath: paths.pastaLog, cwd: '/' });
  } catch (error) {
    throw error instanceof ProcessError ? toolFailure(error) : error;
  }
}

/** @returns false where our pasta ended and no other serves the namespace; a pasta that hangs is ended. */
async function awaitUplink(
  name: string,
  pidFile: string,
  { pasta, signal }: { readonly pasta: Supervised; readonly signal: AbortSignal },
): Promise<boolean> {
  const identity = await identifyProcess(pasta.pid);
  const ended = pasta.exited.then(() => true as const);
  const deadline = performance.now() + START_TIMEOUT_MS;
  let settled = false;
  try {
    for (;;) {
      // Asked before the uplink: one that is ready after our pasta ended is another's.
      const gone = await Promise.race([ended, delay(POLL_INTERVAL_MS, false, { signal })]);
      const uplink = await readUplink(name, signal);
      settled = uplink === 'ready' && (gone || (await sizeOf(pidFile)) > 0);
      if (settled) return true;
      if (gone && uplink === 'absent') return false;
      if (performance.now() > deadline) return false;
      // Ours lost to one that is still at work: look again, but not without a pause.
      if (gone) await delay(POLL_INTERVAL_MS, undefined, { signal });
    }
  } catch (error) {
    throw abortCause(signal, error);
  } finally {
    if (!settled && identity) await endProcess(identity);
  }
}

type UplinkState = 'absent' | 'without address' | 'ready';

async function readUplink(name: string, signal: AbortSignal): Promise<UplinkState> {
  const argv = ['ip', '-netns', name, '-json', 'address', 'show', 'dev', UPLINK] as const;
  const { stdout, exitStatus } = await runTool(argv, { signal, okStatuses: [0, 1] });
  if (exitStatus !== 0) return 'absent';
  return hasGlobalAddress(stdout) ? 'ready' : 'without address';
}

/** pasta needs a default route, IPv4 or IPv6, to know which interface it shall stand for. */
async function hasOutside(signal: AbortSignal): Promise<boolean> {
  for (const family of ['-4', '-6'] as const) {
    const { stdout } = await runTool(['ip', family, 'route', 'show', 'default'], { signal });
    if (stdout.trim() !== '') return true;
  }
  return false;
}

/** Only the pasta that serves writes its pid; one that came too late leaves nothing, or an empty file. */
async function keepPidFile(pidFile: string, target: string): Promise<void> {
  if ((await sizeOf(pidFile)) > 0) await rename(pidFile, target);
  else await rm(pidFile, { force: true });
}

/** Waits until the namespace's pasta is gone, which is a matter of milliseconds; ends it where it is not. */
export async function awaitPastaEnd(pasta: ProcessIdentity): Promise<void> {
  if (!(await awaitEnd(pasta, END_TIMEOUT_MS))) await endProcess(pasta);
}

/** @returns undefined where the pid file names no pasta of this very namespace. */
export async function findPasta(paths: Paths): Promise<ProcessIdentity | undefined> {
  const pid = Number(await readIfThere(paths.pastaPid));
  if (!Number.isSafeInteger(pid) || pid <= 1) return undefined;
  const identity = await identifyProcess(pid);
  const argv = (await readIfThere(`/proc/${pid}/cmdline`)).split('\0');
  const isOurs = argv[0] === 'pasta' && argv.includes(`--netns=${namespacePath(paths.namespaceName)}`);
  return isOurs ? identity : undefined;
}

async function endProcess(identity: ProcessIdentity): Promise<void> {
  await signalProcess(identity, 'SIGTERM');
  if (await awaitEnd(identity, KILL_TIMEOUT_MS)) return;
  await signalProcess(identity, 'SIGKILL');
  if (await awaitEnd(identity, KILL_TIMEOUT_MS)) return;
  throw new AppError('CLEANUP_FAILED', `pasta (pid ${identity.pid}) does not end.`, { details: { ...identity } });
}

async function awaitEnd(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (await isAlive(identity)) {
    if (performance.now() > deadline) return false;
    await delay(POLL_INTERVAL_MS);
  }
  return true;
}

async function wordsSince(log: string, offset: number): Promise<string> {
  const text = Buffer.from(await readIfThere(log))
    .subarray(offset)
    .toString('utf8');
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('Failed to send '));
  return lines.slice(-3).join('; ') || 'it said nothing';
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isGone(error)) return 0;
    throw error;
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isGone(error)) return '';
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return hasCode(error, 'ENOENT', 'ESRCH');
}
