import { chmodSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasCode } from '../../../src/host/error-code.ts';
import { ROOT_VARIABLE, STUB_FILES, type StubPlan, type StubStart } from './stub-plan.ts';

export interface FirecrackerStub {
  /** For `firecracker_bin` and `jailer_bin`. */
  readonly path: string;
  readonly jailerPath: string;
  readonly setPlan: (plan: StubPlan) => void;
  readonly starts: () => StubStart[];
  /** What was asked of it, in order. */
  readonly requests: () => { readonly name: string; readonly body: unknown }[];
  /** Waits until one has started (`start`), or was asked this. The test's own timeout bounds it. */
  readonly reached: (what: string) => Promise<void>;
}

/** The folders and owners that the jailer makes; what runs in it is told where its root is, and keeps our rights. */
const JAILER = `#!/bin/sh
if [ "$1" = --version ]; then echo 'Jailer v1.15.1'; exit; fi
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  case $1 in
    --id) id=$2 ;; --exec-file) exec_file=$2 ;; --uid) uid=$2 ;; --gid) gid=$2 ;; --chroot-base-dir) base=$2 ;;
    --netns | --cgroup | --cgroup-version | --parent-cgroup) ;;
    *) echo "jailer: unexpected $1" >&2; exit 1 ;;
  esac
  shift 2
done
shift
root=$base/$(basename "$exec_file")/$id/root
mkdir "$root/run" "$root/dev" && chown "$uid:$gid" "$root" "$root/run" "$root/dev" || exit 1
printf '%s' $$ >"$root/$(basename "$exec_file").pid"
exec env -i ${ROOT_VARIABLE}="$root" "$exec_file" --id "$id" --start-time-us 1 "$@"
`;

export function installStub(dir: string, plan: StubPlan = {}): FirecrackerStub {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, 'firecracker');
  const jailerPath = join(dir, 'jailer');
  const setPlan = (next: StubPlan): void => writeFileSync(join(dir, STUB_FILES.plan), JSON.stringify(next));
  setPlan(plan);
  const program = fileURLToPath(new URL('stub-firecracker.ts', import.meta.url));
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${program}' '${dir}' "$@"\n`);
  writeFileSync(jailerPath, JAILER);
  for (const file of [path, jailerPath]) chmodSync(file, 0o755);
  const lines = <Line>(name: string): Line[] => readLines(join(dir, name)).map((line) => JSON.parse(line) as Line);
  return {
    path,
    jailerPath,
    setPlan,
    starts: () => lines<StubStart>(STUB_FILES.starts),
    requests: () => lines(STUB_FILES.requests),
    reached(what) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = (): void => {
        const asked = readLines(join(dir, STUB_FILES.requests)).some((line) => line.includes(`{"name":"${what}",`));
        if (what === 'start' ? readLines(join(dir, STUB_FILES.starts)).length > 0 : asked) resolve();
      };
      const watcher = watch(dir, look);
      watcher.on('error', reject);
      look();
      return promise.finally(() => watcher.close());
    },
  };
}

/** The whole ones: of a line that is just being written, or a file that is just being made, nothing is said yet. */
function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}
