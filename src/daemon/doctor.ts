/** `banger doctor`: examines the host with no daemon, and without making anything. */
import { type Config, configSchema } from '../contracts/config.ts';
import type { DnsStatus } from '../contracts/dns.ts';
import { DOCTOR_TOPICS, type DoctorReport, type DoctorTopic } from '../contracts/doctor.ts';
import { BANGER_VERSION } from '../contracts/version.ts';
import { AppError } from '../core/app-error.ts';
import { type ConfigOutcome, judgeHost } from '../core/doctor/checks.ts';
import type { HostInspector } from '../core/doctor/ports.ts';
import type { Paths } from '../host/paths.ts';
import type { EngineFact } from '../core/doctor/engine-checks.ts';
import { composeDnsWiring, composeDoctorEngines, composeHostInspector } from './compose-host.ts';
import { lookAtEngines, newestKernel } from './compose-engines.ts';
import { loadConfig } from './config.ts';

/** Looking at a host takes a second; a program that hangs is given up. */
const INSPECT_TIMEOUT_MS = 60_000;

export interface DoctorOptions {
  readonly topic: DoctorTopic;
  readonly paths: Paths;
  /** Reads the config. @throws AppError CONFIG_INVALID, which becomes a failed check. */
  readonly loadConfig: (path: string) => Promise<Config>;
  readonly inspector: HostInspector;
  /** How guests' names stand. @throws AppError where that cannot be told. */
  readonly names: (config: Config) => Promise<DnsStatus>;
  /** What engines there are, and how they are here. */
  readonly engines: (config: Config, signal: AbortSignal) => Promise<readonly EngineFact[]>;
}

/**
 * The report of `bangerd doctor --for TOPIC [--probe]`.
 *
 * @param probe boots a guest on KVM, whatever is known of it, where there is an image to take its kernel from.
 * @throws AppError REQUEST_INVALID where there is no such topic.
 */
export async function reportHost(paths: Paths, topicText: string, probe: boolean): Promise<DoctorReport> {
  const topic = DOCTOR_TOPICS.find((known) => known === topicText);
  if (topic === undefined) {
    throw new AppError('REQUEST_INVALID', `No such topic: ${JSON.stringify(topicText)}`, {
      hint: `The topics are ${DOCTOR_TOPICS.join(', ')}.`,
    });
  }
  const uid = process.getuid?.() ?? 0;
  const inspector = composeHostInspector(uid);
  const names = (config: Config): Promise<DnsStatus> => composeDnsWiring(paths, config, uid).status();
  const engines = async (config: Config, signal: AbortSignal): Promise<readonly EngineFact[]> =>
    lookAtEngines(composeDoctorEngines(paths, config), probe ? await newestKernel(paths) : undefined, signal);
  const options = { topic, paths, loadConfig, inspector, names, engines };
  return runDoctor(options, AbortSignal.timeout(INSPECT_TIMEOUT_MS));
}

/** Everything the topic needs, checked; `ok` where nothing failed. */
export async function runDoctor(options: DoctorOptions, signal: AbortSignal): Promise<DoctorReport> {
  const { topic, paths, inspector } = options;
  const config = await readConfig(paths.configFile, options.loadConfig);
  const request = {
    stateDir: paths.stateDir,
    runtimeDir: paths.runtimeDir,
    machinesDir: paths.machinesDir,
    databasePath: paths.database,
    qemuPath: config.config.qemu_bin,
  };
  const [facts, names, engines] = await Promise.all([
    inspector.inspect(request, signal),
    readNames(config, options.names),
    topic === 'bootstrap' ? [] : options.engines(config.config, signal),
  ]);
  const checks = judgeHost({ topic, engine: config.config.engine, config, names, engines }, facts);
  return { bangerVersion: BANGER_VERSION, topic, ok: checks.every((check) => check.outcome !== 'failed'), checks };
}

/** A config that cannot be used is reported, and the defaults stand in, so that the rest is examined all the same. */
async function readConfig(path: string, load: DoctorOptions['loadConfig']): Promise<ConfigOutcome> {
  try {
    return { state: 'valid', path, config: await load(path) };
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'CONFIG_INVALID')) throw error;
    return { state: 'invalid', path, message: error.message, hint: error.hint, config: configSchema.parse({}) };
  }
}

async function readNames({ config }: ConfigOutcome, names: DoctorOptions['names']): Promise<DnsStatus | undefined> {
  if (!config.network.publish_ports) return undefined;
  try {
    return await names(config);
  } catch (error) {
    // A network that cannot be has a check of its own.
    if (error instanceof AppError && error.code === 'CONFIG_INVALID') return undefined;
    throw error;
  }
}
