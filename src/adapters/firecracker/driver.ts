import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Config } from '../../contracts/config.ts';
import { AppError } from '../../core/app-error.ts';
import type { EngineDriver } from '../../core/engines/ports.ts';
import type { Engine } from '../../core/vms/engine.ts';
import { errorCode } from '../../host/error-code.ts';
import { FirecrackerEngine } from './engine.ts';
import { CGROUP_MOUNT, coversOwners, hasControllers, mountOptionsAt, OWNER_COUNT } from './jailer.ts';
import type { LaunchPlan } from './launch.ts';
import { adoptOnly } from './adopt-only.ts';
import { createKvmProbe, type KvmProbeOptions } from './kvm-probe.ts';
import { lookAtFirecracker, lookAtJailer, type Program } from './programs.ts';
import { endUnrecorded } from './unrecorded.ts';
import { versionWarning } from './version.ts';

const DEFAULT_FIRECRACKER = 'firecracker';
const DEFAULT_JAILER = 'jailer';
/** On KVM a guest shows life within a second; each try allows more for a host that is busy. */
const BOOT_TIMEOUTS_MS: readonly number[] = [5_000, 10_000, 20_000];

export interface FirecrackerDriverOptions {
  /** `firecracker_bin` of the config; undefined: `firecracker` on PATH. */
  readonly firecrackerPath: string | undefined;
  /** `jailer_bin` of the config; undefined: `jailer` on PATH. */
  readonly jailerPath: string | undefined;
  /** `[jailer]` of the config. */
  readonly jailer: Config['jailer'];
  /** Where jails are made unless the config says otherwise: on the filesystem of the machines' disks. */
  readonly jailsDir: string;
  /** Instead of the usual ones: one try of the boot each. */
  readonly bootTimeoutsMs?: readonly number[];
  /** Multiplies the usual ones; 1 where left out. */
  readonly timeoutScale?: number;
  readonly log: (line: string) => void;
  readonly probe: Pick<KvmProbeOptions, 'initrdPath' | 'configPath' | 'makeInitrd'>;
}

/** Firecracker on KVM, jailed where we are root. What is worth a warning is logged, once for the life of the daemon. */
export function createFirecrackerDriver(options: FirecrackerDriverOptions): EngineDriver {
  const { timeoutScale = 1, log } = options;
  const jailsDir = options.jailer.base_dir ?? options.jailsDir;
  const bootTimeoutsMs = options.bootTimeoutsMs ?? BOOT_TIMEOUTS_MS.map((timeoutMs) => timeoutMs * timeoutScale);
  const said = new Set<string>();
  const warn = (line: string | undefined): void => {
    if (line === undefined || said.has(line)) return;
    said.add(line);
    log(line);
  };
  const wanted = options.firecrackerPath ?? DEFAULT_FIRECRACKER;
  const engineFor = async (): Promise<Engine> => {
    const program = await lookAtFirecracker(wanted);
    warn(versionWarning(program.version));
    const jail = await chooseJail(program, { ...options, jailsDir, warn });
    const { version, path: firecrackerPath } = program;
    return new FirecrackerEngine({ version, firecrackerPath, jail, bootTimeoutsMs, log });
  };
  return {
    name: 'firecracker',
    engineFor,
    adopterFor: () => adoptOnly(log),
    async refusal() {
      try {
        await engineFor();
        return undefined;
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        return { reason: withoutPoint(error.message), hint: withoutPoint(error.hint) };
      }
    },
    async programStamp() {
      const { path } = await lookAtFirecracker(wanted);
      const { size, mtimeMs, ino } = await stat(path);
      return `${path} ${size} ${ino} ${mtimeMs}`;
    },
    kvmProbe: createKvmProbe({ ...options.probe, programPath: wanted }),
    endUnrecorded: (controlSocketPaths) => endUnrecorded(controlSocketPaths, jailsDir),
  };
}

function withoutPoint(sentence: string): string {
  return sentence.replace(/\.$/, '');
}

interface JailChoice extends Pick<FirecrackerDriverOptions, 'jailer' | 'jailerPath'> {
  readonly jailsDir: string;
  readonly warn: (line: string | undefined) => void;
}

/** @throws AppError ENGINE_UNAVAILABLE where there should be a jail and there cannot be one. */
async function chooseJail(program: Program, choice: JailChoice): Promise<LaunchPlan['jail']> {
  const { jailer: config, jailsDir, warn } = choice;
  const owners = { first: config.first_uid, count: OWNER_COUNT };
  if (config.mode === 'off') return undefined;
  if (!(await mayBecome(owners))) {
    if (config.mode === 'auto') return undefined;
    throw new AppError('ENGINE_UNAVAILABLE', `The jailer needs root and the users from ${owners.first} on.`, {
      hint: 'Run banger as root, or set `mode = "auto"` under [jailer] in the config file.',
    });
  }
  assertNameFits(program.path);
  const jailer = await lookAtJailer(choice.jailerPath ?? DEFAULT_JAILER).catch((error: unknown) => {
    if (!(error instanceof AppError)) throw error;
    const hint = `${error.hint} Or set \`mode = "off"\` under [jailer]: Firecracker then runs as root.`;
    throw new AppError(error.code, error.message, { hint, cause: error });
  });
  if (jailer.version.text !== program.version.text) {
    warn(`The jailer is of version ${jailer.version.text}, Firecracker of ${program.version.text}.`);
  }
  await assertDevicesWork(jailsDir);
  const hasCgroups = await mayMakeCgroups();
  if (!hasCgroups) warn('Firecracker’s jails have no cgroup: the host has no cgroup v2 that could be written to.');
  const settings = { jailerPath: jailer.path, firecrackerPath: program.path, baseDir: jailsDir, hasCgroups };
  return { settings, owners };
}

/** The jailer starts nothing that is called otherwise (firecracker's docs/jailer.md, `exec_file`). */
function assertNameFits(path: string): void {
  if (basename(path).includes('firecracker')) return;
  throw new AppError(
    'ENGINE_UNAVAILABLE',
    `The jailer starts no program whose name is without "firecracker": ${path}`,
    {
      hint: 'Rename it, and set `firecracker_bin` in the config file.',
    },
  );
}

async function mayBecome(owners: { readonly first: number; readonly count: number }): Promise<boolean> {
  return process.geteuid?.() === 0 && coversOwners(await readFile('/proc/self/uid_map', 'utf8'), owners);
}

/** In a jail on a filesystem that is mounted so, /dev/kvm opens for nobody, and Firecracker says no more than that. */
async function assertDevicesWork(jailsDir: string): Promise<void> {
  if (!mountOptionsAt(await readFile('/proc/self/mountinfo', 'utf8'), jailsDir).includes('nodev')) return;
  throw new AppError('ENGINE_UNAVAILABLE', `Jails in ${jailsDir} have no devices: its filesystem is mounted "nodev".`, {
    hint: 'Set `base_dir` under [jailer] in the config file to a folder on another mount of the disks’ filesystem.',
  });
}

async function mayMakeCgroups(): Promise<boolean> {
  try {
    await access(CGROUP_MOUNT, constants.W_OK);
    return hasControllers(await readFile(`${CGROUP_MOUNT}/cgroup.controllers`, 'utf8'));
  } catch (error) {
    // ENOENT: no unified hierarchy; EACCES, EROFS: not ours.
    if (errorCode(error) !== undefined) return false;
    throw error;
  }
}
