/** Where the CLI's own daemon program and launcher lie: beside it in the bundle, in the source tree otherwise. */
import { join } from 'node:path';
import { buildId, isBundled, packageRoot } from '../host/build-id.ts';

/** The daemon program of this very build. It runs in the foreground; who starts it decides where it lives. */
export function daemonArgv(...args: readonly string[]): readonly [string, ...string[]] {
  const program = isBundled() ? join('dist', 'daemon.mjs') : join('src', 'daemon', 'main.ts');
  return [process.execPath, join(packageRoot(), program), ...args];
}

/** `bin/banger`. */
export function launcherPath(): string {
  return join(packageRoot(), 'bin', 'banger');
}

/** Which build this is; a daemon of the same build bears the same. */
export function currentBuildId(): string {
  return buildId();
}
