/** Host programs that a test can hold up, or have do something else first: wrappers that come first on the daemon's PATH. */
import { existsSync, readFileSync, watch } from 'node:fs';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram } from '../../src/host/search-path.ts';

/** What clones, grows and checks disks, joins networks, fetches sources and packages, takes the daemon's lock. */
const TOOLS = ['cp', 'resize2fs', 'e2fsck', 'ip', 'git', 'mmdebstrap', 'flock'] as const;
type Tool = (typeof TOOLS)[number];

export interface HeldTools {
  /** For the front of PATH. */
  readonly dir: string;
  /**
   * The next call of the tool runs this shell script first, in its own process; the one after runs as ever.
   *
   * @param when only a call whose arguments hold this text.
   */
  intercept(tool: Tool, script: string, when?: string): Promise<Intercepted>;
  /** What was to be intercepted and was never called is so no more. */
  release(): Promise<void>;
}

export interface Intercepted {
  /** Settles once the tool was called, with its pid. The test's own timeout bounds it. */
  readonly called: Promise<number>;
}

/** For `intercept`: the call never comes back by itself. */
export const HANG = 'exec sleep 600';

export async function installHeldTools(root: string): Promise<HeldTools> {
  const dir = join(root, 'tools');
  const gates = join(root, 'gates');
  await mkdir(dir);
  await mkdir(gates);
  for (const tool of TOOLS) {
    const real = await findProgram(tool);
    const gate = join(gates, tool);
    const lines = [
      '#!/bin/sh',
      `gate='${gate}'`,
      'if [ -e "$gate" ]; then',
      '  read -r when <"$gate.when" || :',
      '  case "$*" in',
      // Of two calls at once one has it.
      '    *"$when"*) if mv "$gate" "$gate.$$" 2>/dev/null; then echo $$ >"$gate.pid.new"; ' +
        'mv "$gate.pid.new" "$gate.pid"; . "$gate.$$"; fi ;;',
      '  esac',
      'fi',
      `exec '${real ?? `/missing/${tool}`}' "$@"`,
    ];
    await writeFile(join(dir, tool), `${lines.join('\n')}\n`);
    await chmod(join(dir, tool), 0o755);
  }
  return {
    dir,
    async release() {
      for (const tool of TOOLS) await rm(join(gates, tool), { force: true });
    },
    async intercept(tool, script, when = '') {
      const gate = join(gates, tool);
      await rm(`${gate}.pid`, { force: true });
      const called = new Promise<number>((resolve, reject) => {
        const look = (): void => {
          if (!existsSync(`${gate}.pid`)) return;
          watcher.close();
          resolve(Number(readFileSync(`${gate}.pid`, 'utf8')));
        };
        const watcher = watch(gates, look);
        watcher.on('error', reject);
        // A test that ends without the call is not kept waiting by it.
        watcher.unref();
      });
      await writeFile(`${gate}.when`, `${when}\n`);
      await writeFile(`${gate}.new`, `${script}\n`);
      await rename(`${gate}.new`, gate);
      return { called };
    },
  };
}
