import { POWER_OFF_BY_REBOOT } from '../../src/contracts/agent.ts';
import type { Sys } from './sys.ts';

/** systemd answers as soon as it has begun; one that takes this long is stuck. */
const SYSTEMCTL_DEADLINE_MS = 30_000;

/**
 * By systemd, which stops services first; where it does not run or does not answer, at once after a sync. Where the
 * machine has no power to be switched off, its VMM ends when it is reset.
 */
export async function powerOff(sys: Sys): Promise<void> {
  const byReboot = (sys.readText('/proc/cmdline') ?? '').trim().split(' ').includes(POWER_OFF_BY_REBOOT);
  if (sys.readText('/proc/1/comm') === 'systemd\n') {
    const verb = byReboot ? 'reboot' : 'poweroff';
    const { exitStatus, stderr } = await sys.run(['systemctl', verb], {
      input: '',
      deadlineMs: SYSTEMCTL_DEADLINE_MS,
    });
    if (exitStatus === 0) return;
    sys.log(`systemctl ${verb} ended with status ${exitStatus}: ${stderr.trim()}`);
  }
  await sys.sync();
  if (byReboot) sys.restart();
  else sys.powerOff();
}
