/**
 * bangerd. Started by the CLI, in two steps of one process: read the config, take the lock and make the network
 * namespace outside; enter that by exec, and serve.
 *
 * On stdout it says one line of JSON: `{"ready":true,...}` once it serves, or `{"error":{...}}`. Status 75 (EX_TEMPFAIL,
 * sysexits.h) means that another daemon holds the lock.
 */
import { writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import type { Config } from '../contracts/config.ts';
import { BANGER_VERSION } from '../contracts/version.ts';
import { AppError, toAppError } from '../core/app-error.ts';
import { planAddresses } from '../core/networks/address-plan.ts';
import { buildId, packageRoot } from '../host/build-id.ts';
import { hasCode } from '../host/error-code.ts';
import { holdLock } from '../host/lock.ts';
import { agentFiles, type Paths, resolvePaths } from '../host/paths.ts';
import { bindResolvConf, compose, type Composition, ensureNamespace, startWaiters } from './compose.ts';
import { removeUnusedNamespace } from './compose-network.ts';
import { loadConfig } from './config.ts';
import { type Log, openLog } from './log.ts';
import { reconcile } from './reconcile.ts';
import { ensureRuntimeDir } from './runtime-dir.ts';
import { type RunningServer, startServer } from './server.ts';

const LOCKED_STATUS = 75;
/** A small young generation: the daemon waits more than it computes, and 2 MB less of it stay resident. */
const NODE_FLAGS = ['--max-semi-space-size=1'] as const;
/** For making the namespace, and for finding everything again after a restart. */
const START_TIMEOUT_MS = 50_000;
/** For operations to undo what they have made. */
const SHUTDOWN_TIMEOUT_MS = 45_000;

type StopReason = 'user' | 'replace';

interface Daemon {
  readonly server: RunningServer;
  readonly composition: Composition;
  readonly log: Log;
  readonly stopAsked: Promise<StopReason>;
}

async function main(argv: readonly string[]): Promise<void> {
  process.umask(0o077);
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      inside: { type: 'boolean', default: false },
      'host-addresses': { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      for: { type: 'string', default: 'all' },
      probe: { type: 'boolean', default: false },
    },
  });
  const paths = resolvePaths(process.env, process.getuid?.() ?? 0);
  if (positionals[0] === 'doctor') {
    const { reportHost } = await import('./doctor.ts');
    return void process.stdout.write(`${JSON.stringify(await reportHost(paths, values.for, values.probe))}\n`);
  }
  if (positionals[0] === 'dns') {
    const { runDns } = await import('./dns.ts');
    return void process.stdout.write(`${JSON.stringify(await runDns(paths, positionals[1] ?? ''))}\n`);
  }
  if (!values.inside) return enter(paths);
  // V8's compilers neither hurry nor run beside each other: after some hundred requests 7 MB less are resident. Set
  // here and not on the command line, where a Node that does not know the flag would refuse to start.
  setFlagsFromString('--efficiency-mode');
  return serve(
    paths,
    values['host-addresses'].split(',').filter((address) => address !== ''),
  );
}

/** Takes the lock, then replaces this process by one that, in mode `isolated`, lives in banger's own namespace. */
async function enter(paths: Paths): Promise<never> {
  const config = await loadConfig(paths.configFile, userHome());
  await ensureRuntimeDir(paths.runtimeDir, process.getuid?.() ?? 0);
  // Whatever can be refused is refused before a namespace is made.
  planAddresses(config.network.cidr);
  // And the lock comes before it: only who holds it makes the namespace, enters it, or takes it away.
  if (!(await holdLock(paths.daemonLock))) process.exit(LOCKED_STATUS);
  const isolated = config.network.mode === 'isolated';
  const [namespace] = await Promise.all([
    isolated
      ? ensureNamespace({ paths, signal: AbortSignal.timeout(START_TIMEOUT_MS) })
      : { argvPrefix: [], hostAddresses: [] },
    // Here and not later: nobody comes back out of the namespace. Without them guests run, and are not published.
    config.network.publish_ports && startWaiters({ paths }).catch((error: unknown) => console.error(error)),
  ]);
  const self = [process.execPath, ...NODE_FLAGS, ...process.execArgv, process.argv[1] ?? ''];
  const flags = ['--inside', `--host-addresses=${namespace.hostAddresses.join(',')}`];
  // By env, which looks the program up on PATH as a shell would; exec keeps the lock, and the pid that the CLI knows.
  process.execve?.('/usr/bin/env', ['env', ...namespace.argvPrefix, ...self, ...flags], process.env);
  throw new AppError('INTERNAL', 'The daemon could not enter its place: exec came back.');
}

/** A daemon that cannot begin takes its namespace away again, unless guests of an earlier one are in it. */
async function serve(paths: Paths, hostAddresses: readonly string[]): Promise<void> {
  const config = await loadConfig(paths.configFile, userHome());
  let began = false;
  try {
    const daemon = await begin(paths, config, hostAddresses);
    began = true;
    announce({ ready: true, socketPath: paths.daemonSocket });
    daemon.log.info({ version: BANGER_VERSION, socket: paths.daemonSocket }, 'serving');
    await shutDown({ ...daemon, reason: await daemon.stopAsked });
  } finally {
    if (!began && config.network.mode === 'isolated') await removeUnusedNamespace(paths, config);
  }
}

async function begin(paths: Paths, config: Config, hostAddresses: readonly string[]): Promise<Daemon> {
  for (const dir of [
    paths.stateDir,
    paths.stagingDir,
    paths.imagesDir,
    paths.vmsDir,
    paths.operationsDir,
    paths.cacheDir,
  ]) {
    await mkdir(dir, { recursive: true, mode: 0o700 });
  }
  if (config.network.mode === 'isolated') await bindResolvConf(paths);
  const log = openLog({ path: paths.daemonLog, level: config.log_level });
  const { promise: stopAsked, resolve: stop } = Promise.withResolvers<StopReason>();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => stop('user'));
  const composition = compose({
    paths,
    config,
    log,
    hostAddresses,
    guestDirs: { guest: join(packageRoot(), 'guest'), built: agentFiles(packageRoot()).dir },
    timeoutScale: testTimeoutScale(),
    userHome: userHome(),
    facts: { ...daemonFacts(paths, config), stop },
  });
  await reconcile(composition.reconcile, AbortSignal.timeout(START_TIMEOUT_MS));
  await composition.settled();
  const server = await startServer({
    socketPath: paths.daemonSocket,
    handlers: composition.handlers,
    log,
    logPath: paths.daemonLog,
    buildId: buildId(),
    uid: process.getuid?.() ?? 0,
  });
  return { server, composition, log, stopAsked };
}

function userHome(): string {
  return process.env['HOME'] ?? '/';
}

/** Set by the tests of what happens at a guest's deadlines, which are minutes; nobody else has a use for it. */
function testTimeoutScale(): number {
  const scale = Number(process.env['BANGER_TEST_TIMEOUT_SCALE'] ?? 1);
  return scale > 0 ? scale : 1;
}

function daemonFacts(paths: Paths, config: Config): Omit<Parameters<typeof compose>[0]['facts'], 'stop'> {
  return {
    version: BANGER_VERSION,
    buildId: buildId(),
    pid: process.pid,
    startedAt: new Date().toISOString(),
    socketPath: paths.daemonSocket,
    homePath: paths.homePath,
    networkMode: config.network.mode,
    config,
    ...(config.network.mode === 'isolated' && { namespaceName: paths.namespaceName }),
  };
}

/** VMs go on; operations undo what they have made; the network goes where nobody is on it. */
async function shutDown(daemon: Omit<Daemon, 'stopAsked'> & { readonly reason: StopReason }): Promise<void> {
  const { server, composition, log, reason } = daemon;
  log.info({ reason }, 'stopping');
  // Before the server: whoever follows an operation sees how it ended.
  const unfinished = await composition.operations.shutdown(AbortSignal.timeout(SHUTDOWN_TIMEOUT_MS));
  await server.close();
  if (unfinished.length > 0) log.warn({ operations: unfinished }, 'operations did not end in time');
  if (reason === 'user' && composition.network.isEmpty() && unfinished.length === 0) {
    await composition.network.removeAll().catch((error: unknown) => log.error({ err: error }, 'network not removed'));
  }
  await composition.close();
  log.info('stopped');
}

/** Whoever started us reads one line and goes away; nothing is written to stdout after it. */
function announce(line: object): void {
  try {
    writeSync(1, `${JSON.stringify(line)}\n`);
  } catch (error) {
    if (!hasCode(error, 'EPIPE')) throw error;
  }
}

try {
  await main(process.argv.slice(2));
  // Connections that are being let go of must not keep a daemon that has stopped.
  process.exit(0);
} catch (error) {
  announce({ error: toAppError(error).toBody() });
  console.error(error);
  process.exit(1);
}
