import type { Sys } from './sys.ts';

/** systemd answers as soon as it has begun; one that takes this long is stuck. */
const SYSTEMCTL_DEADLINE_MS = 30_000;

/** By systemd, which stops services first; where it does not run or does not answer, at once after a sync. */
export async function powerOff(sys: Sys): Promise<void> {
  if (sys.readText('/proc/1/comm') === 'systemd\n') {
    const { exitStatus, stderr } = await sys.run(['systemctl', 'poweroff'], {
      input: '',
      deadlineMs: SYSTEMCTL_DEADLINE_MS,
    });
    if (exitStatus === 0) return;
    sys.log(`systemctl poweroff ended with status ${exitStatus}: ${stderr.trim()}`);
  }
  await sys.sync();
  sys.powerOff();
}
