/** Makes jails and removes them. */
import {
  constants,
  copyFile,
  link,
  lchown,
  lstat,
  mkdir,
  readdir,
  rm,
  rmdir,
  stat,
  symlink,
  chown,
  chmod,
} from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, describe } from '../../core/app-error.ts';
import type { MachineSpec } from '../../core/vms/engine.ts';
import { hasCode } from '../../host/error-code.ts';
import {
  CGROUP_MOUNT,
  cgroupDirOf,
  freeOwner,
  isJailDir,
  type JailFile,
  type JailPlan,
  type JailSettings,
  planJail,
} from './jailer.ts';

/** A group goes once the kernel has let go of its last process, soon after that process is gone. */
const CGROUP_TRIES = 20;
const CGROUP_PAUSE_MS = 50;
const OTHERS_MAY_READ = 0o004;

export interface OwnerRange {
  readonly first: number;
  readonly count: number;
}

export interface Jail extends JailPlan {
  /** User and group of the VMM. */
  readonly owner: number;
}

/** Two machines that start at once must not find the same user free. */
let lastClaim: Promise<unknown> = Promise.resolve();

/**
 * Makes the jail of a machine, whose own files are there. What an earlier one of its id left is removed first.
 *
 * @throws AppError ENGINE_UNAVAILABLE where the jail cannot be made on this host; the system's error. Nothing is left then.
 */
export async function buildJail(spec: MachineSpec, settings: JailSettings, owners: OwnerRange): Promise<Jail> {
  const plan = planJail(spec, settings);
  await removeJail(plan.jailDir);
  try {
    const owner = await claimOwner(plan, settings.baseDir, owners);
    for (const dir of plan.dirs) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      await chown(dir, owner, owner);
    }
    for (const file of plan.files) await stage(file, owner);
    for (const { path, target } of plan.links) {
      await rm(path, { force: true });
      await symlink(target, path);
    }
    return { ...plan, owner };
  } catch (error) {
    await removeJail(plan.jailDir);
    for (const { path } of plan.links) await rm(path, { force: true });
    throw jailError(error, plan.jailDir);
  }
}

/**
 * Removes a jail whose VMM is gone: its cgroup, its folder, and the VMM's ownership of the machine's files. Needs
 * nothing but the path. Does nothing where there is none.
 *
 * @throws AppError INTERNAL where the path is no jail's; the system's error.
 */
export async function removeJail(jailDir: string, cgroupMount = CGROUP_MOUNT): Promise<void> {
  if (!isJailDir(jailDir)) throw new AppError('INTERNAL', `${jailDir} is no jail; it is left as it is.`);
  await removeCgroup(cgroupDirOf(jailDir, cgroupMount));
  await takeBack(jailDir);
  await rm(jailDir, { recursive: true, force: true });
}

/** Jails of one machine: one at most, unless the program was replaced by one of another name. */
export async function jailDirsOf(baseDir: string, vmId: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const program of await entriesOf(baseDir)) {
    const jailDir = join(baseDir, program, vmId);
    if (isJailDir(jailDir) && (await isThere(jailDir))) found.push(jailDir);
  }
  return found;
}

/** The folder itself says whose the user is: its owner. */
function claimOwner(plan: JailPlan, baseDir: string, owners: OwnerRange): Promise<number> {
  const claim = lastClaim.then(async () => {
    await mkdir(baseDir, { recursive: true, mode: 0o700 });
    const owner = freeOwner(plan.jailDir, owners, await takenOwners(baseDir));
    if (owner === undefined) {
      throw new AppError(
        'ENGINE_UNAVAILABLE',
        `All ${owners.count} users for jails from ${owners.first} on are taken.`,
        {
          hint: 'Set `first_uid` under [jailer] in the config file to where more are free.',
        },
      );
    }
    await mkdir(plan.jailDir, { recursive: true, mode: 0o700 });
    await chown(plan.jailDir, owner, owner);
    return owner;
  });
  lastClaim = claim.catch(() => undefined);
  return claim;
}

/** Owners of the jails that there are, and of every process: another instance has jails that we do not know. */
async function takenOwners(baseDir: string): Promise<Set<number>> {
  const taken = new Set<number>();
  const take = async (path: string): Promise<void> => {
    try {
      taken.add((await stat(path)).uid);
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ESRCH')) throw error;
    }
  };
  for (const program of await entriesOf(baseDir)) {
    for (const id of await entriesOf(join(baseDir, program))) await take(join(baseDir, program, id));
  }
  for (const entry of await entriesOf('/proc')) if (/^\d+$/.test(entry)) await take(join('/proc', entry));
  return taken;
}

async function stage({ from, to, kind }: JailFile, owner: number): Promise<void> {
  if (kind === 'own') {
    // A copy would not do: what the guest writes must be in the file itself.
    await link(from, to);
    await lchown(to, owner, owner);
    return;
  }
  const isReadableByAll = ((await stat(from)).mode & OTHERS_MAY_READ) !== 0;
  if (isReadableByAll && (await linked(from, to))) return;
  await copyFile(from, to, constants.COPYFILE_FICLONE);
  await chown(to, owner, owner);
  await chmod(to, 0o400);
}

/** @returns false where it lies on another filesystem. */
async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    // EMLINK: the file has as many names as its filesystem allows.
    if (hasCode(error, 'EXDEV', 'EMLINK')) return false;
    throw error;
  }
}

function jailError(error: unknown, jailDir: string): unknown {
  if (error instanceof AppError) return error;
  if (hasCode(error, 'EXDEV')) {
    return new AppError(
      'ENGINE_UNAVAILABLE',
      `The jail ${jailDir} lies on another filesystem than the machine's disk.`,
      {
        hint: 'Set `base_dir` under [jailer] in the config file to a folder on the filesystem of the disks.',
        cause: error,
      },
    );
  }
  return new AppError('ENGINE_FAILED', `The jail ${jailDir} could not be made: ${describe(error)}`, {
    details: { jailDir },
    cause: error,
  });
}

/** Files that were given to the VMM, whose user the jail's own folder tells, and that have a name outside are ours again. */
async function takeBack(jailDir: string): Promise<void> {
  const uid = process.getuid?.();
  const gid = process.getgid?.();
  if (uid === undefined || gid === undefined || !(await isThere(jailDir))) return;
  const owner = (await lstat(jailDir)).uid;
  if (owner === uid) return;
  for (const dir of [join(jailDir, 'root'), join(jailDir, 'root', 'drives')]) {
    for (const entry of await entriesOf(dir)) {
      const path = join(dir, entry);
      const found = await lstat(path);
      if (found.isFile() && found.nlink > 1 && found.uid === owner) await lchown(path, uid, gid);
    }
  }
}

async function removeCgroup(dir: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await rmdir(dir);
      return;
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return;
      if (!hasCode(error, 'EBUSY') || tries === CGROUP_TRIES) throw error;
    }
    await sleep(CGROUP_PAUSE_MS);
  }
}

async function entriesOf(dir: string): Promise<readonly string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}
