/** Puts one line into the user's `~/.ssh/config`, and takes it out again. Nothing else there is changed. */
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { chmod, chown, copyFile, lstat, mkdir, open, readFile, realpath, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { hasCode } from '../host/error-code.ts';
import { ClientError } from './client-error.ts';
import { withInclude, withoutInclude } from './ssh-config.ts';

export interface SshConfigChange {
  /** The user's file, links followed. */
  readonly path: string;
  readonly changed: boolean;
  /** A copy of it as it was. */
  readonly backupPath?: string | undefined;
}

interface UserConfig {
  readonly path: string;
  /** Byte for byte, whatever its encoding; undefined where there is no file. */
  readonly text: string | undefined;
  readonly stat: Stats | undefined;
}

/** Copies of the user's file; one that is there is never written over. */
const BACKUP_SUFFIX = '.before-banger';
const MAX_BACKUPS = 20;

/**
 * Writes our config, and makes the user's lead to it. Done twice it changes nothing.
 *
 * @param own our file and its text.
 * @throws ClientError SSH_CONFIG_UNUSABLE.
 */
export async function installSshConfig(
  own: { readonly path: string; readonly text: string },
  userPath: string,
): Promise<SshConfigChange> {
  await mkdir(dirname(own.path), { recursive: true, mode: 0o700 });
  await writeFileAtomic(own.path, own.text, { mode: 0o600 });
  const user = await readUserConfig(userPath);
  const text = withInclude(user.text, asBytes(own.path));
  if (text === user.text) return { path: user.path, changed: false };
  const isFirst = user.text !== undefined && withoutInclude(user.text) === user.text;
  const backupPath = isFirst ? await backUp(user.path) : undefined;
  await mkdir(dirname(user.path), { recursive: true, mode: 0o700 });
  await replace(user, text);
  return { path: user.path, changed: true, backupPath };
}

/** Takes the line out; where nothing else was changed meanwhile, the file is byte for byte what it was. */
export async function uninstallSshConfig(ownPath: string, userPath: string): Promise<SshConfigChange> {
  const user = await readUserConfig(userPath);
  const text = user.text === undefined ? undefined : withoutInclude(user.text);
  const changed = text !== user.text;
  if (changed && text === undefined) await unlink(user.path);
  else if (changed && text !== undefined) await replace(user, text);
  if (text !== undefined) await removeBackups(user.path, text);
  await unlink(ownPath).catch(unlessAbsent);
  return { path: user.path, changed };
}

async function readUserConfig(userPath: string): Promise<UserConfig> {
  const path = await realPath(userPath);
  if (path === undefined) return { path: userPath, text: undefined, stat: undefined };
  const stat = await lstat(path);
  if (!stat.isFile()) throw new ClientError('SSH_CONFIG_UNUSABLE', `${path} is not a file.`);
  return { path, text: await readFile(path, 'latin1'), stat };
}

/** @returns undefined where nothing is there. */
async function realPath(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  try {
    await lstat(path);
  } catch (error) {
    unlessAbsent(error);
    return undefined;
  }
  throw new ClientError('SSH_CONFIG_UNUSABLE', `${path} is a link that leads nowhere.`);
}

/** In one step, with the owner and the mode that it has. */
async function replace({ path, stat }: UserConfig, text: string): Promise<void> {
  const temporary = join(dirname(path), `.config.${randomBytes(6).toString('hex')}`);
  const file = await open(temporary, 'wx', 0o600);
  try {
    try {
      await file.writeFile(text, 'latin1');
      await file.sync();
    } finally {
      await file.close();
    }
    if (stat) {
      await chown(temporary, stat.uid, stat.gid);
      await chmod(temporary, stat.mode & 0o7777);
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(unlessAbsent);
    throw error;
  }
}

async function backUp(path: string): Promise<string> {
  for (const backup of backupPaths(path)) {
    try {
      await copyFile(path, backup, constants.COPYFILE_EXCL);
      return backup;
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
  throw new ClientError('SSH_CONFIG_UNUSABLE', `There are ${MAX_BACKUPS} copies of ${path} already.`, {
    hint: `Remove those that you do not need: ${path}${BACKUP_SUFFIX}*`,
  });
}

/** Copies of what the file is again are of no use any more. */
async function removeBackups(path: string, text: string): Promise<void> {
  for (const backup of backupPaths(path)) {
    const copy = await readFile(backup, 'latin1').catch(unlessAbsent);
    if (copy === text) await unlink(backup);
  }
}

function backupPaths(path: string): readonly string[] {
  return Array.from(
    { length: MAX_BACKUPS },
    (_, index) => `${path}${BACKUP_SUFFIX}${index === 0 ? '' : `-${index + 1}`}`,
  );
}

function asBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function unlessAbsent(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}
