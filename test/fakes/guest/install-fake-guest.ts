import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How a fake guest behaves; read at its boot, `steps` and `sync` at the moment they run. */
export interface FakeGuestPlan {
  /** Its sshd never starts. */
  readonly silent?: boolean;
  /** Neither `poweroff` nor the power button ends it. */
  readonly ignoresPowerOff?: boolean;
  /** Shell scripts that run instead of the steps of these names. */
  readonly steps?: Readonly<Record<string, string>>;
  /** A shell script that `sync` is. */
  readonly sync?: string;
}

export interface FakeGuest {
  /** For `guestScript` of a fake QEMU's plan. */
  readonly script: string;
  readonly setPlan: (plan: FakeGuestPlan) => void;
}

/** Puts what a fake guest is told into a folder of the test's own. Guests run as root, in namespaces. */
export function installFakeGuest(dir: string): FakeGuest {
  const planDir = join(dir, 'plan');
  const script = join(dir, 'guest');
  mkdirSync(join(planDir, 'steps'), { recursive: true });
  const guest = fileURLToPath(new URL('guest.sh', import.meta.url));
  writeFileSync(script, `exec /bin/bash '${guest}' '${planDir}'\n`);
  return { script, setPlan: (plan) => writePlan(planDir, plan) };
}

/** The folder itself stays: guests that run have it mounted. */
function writePlan(planDir: string, plan: FakeGuestPlan): void {
  const wanted = new Map<string, string>(
    Object.entries(plan.steps ?? {}).map(([name, script]) => [`steps/${name}.sh`, script]),
  );
  if (plan.silent) wanted.set('silent', '');
  if (plan.ignoresPowerOff) wanted.set('ignores-power-off', '');
  if (plan.sync !== undefined) wanted.set('sync', plan.sync);
  rmSync(join(planDir, 'steps'), { recursive: true });
  mkdirSync(join(planDir, 'steps'));
  for (const name of ['silent', 'ignores-power-off', 'sync']) rmSync(join(planDir, name), { force: true });
  for (const [name, content] of wanted) {
    const temporary = join(planDir, '.new');
    writeFileSync(temporary, `${content}\n`);
    renameSync(temporary, join(planDir, name));
  }
}
