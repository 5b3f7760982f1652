/** How long a guest may take, `ms`. Software emulation is given more: an ordinary boot takes about 15 s there, ten times that on a busy machine. */
import type { Accelerator } from '../../contracts/vm.ts';

type PerAccelerator = Readonly<Record<Accelerator, number>>;

export interface MachineTimeouts {
  /** From power-on to sshd's greeting. */
  readonly readyMs: PerAccelerator;
  /** How long an agent that should be there may say nothing before sshd is asked instead. */
  readonly agentPatienceMs: PerAccelerator;
  /** From the guest's power-off to the VMM's end. */
  readonly powerOffMs: PerAccelerator;
  /** For the connection that asks for `sync` and power-off. */
  readonly stopConnectMs: PerAccelerator;
}

const MACHINE_TIMEOUTS: MachineTimeouts = {
  readyMs: { kvm: 60_000, tcg: 600_000 },
  agentPatienceMs: { kvm: 10_000, tcg: 60_000 },
  powerOffMs: { kvm: 20_000, tcg: 90_000 },
  stopConnectMs: { kvm: 5_000, tcg: 30_000 },
};

/** @param scale 1 for what people get; tests of the bounds themselves take a small part of it. */
export function machineTimeouts(scale: number): MachineTimeouts {
  const scaled = ({ kvm, tcg }: PerAccelerator): PerAccelerator => ({ kvm: kvm * scale, tcg: tcg * scale });
  const { readyMs, agentPatienceMs, powerOffMs, stopConnectMs } = MACHINE_TIMEOUTS;
  return {
    readyMs: scaled(readyMs),
    agentPatienceMs: scaled(agentPatienceMs),
    powerOffMs: scaled(powerOffMs),
    stopConnectMs: scaled(stopConnectMs),
  };
}
