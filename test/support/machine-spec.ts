import { join } from 'node:path';
import type { MachineIdentity, MachineSpec } from '../../src/core/vms/engine.ts';

/** A machine whose files lie in `dir`; `identities` gathers what is written down of it. */
export function machineSpec(
  dir: string,
  overrides: Partial<MachineSpec> = {},
): { readonly spec: MachineSpec; readonly identities: MachineIdentity[] } {
  const identities: MachineIdentity[] = [];
  const spec: MachineSpec = {
    id: 'vm-0123456789',
    name: 'calm-otter',
    cpus: 1,
    memoryBytes: 128 * 2 ** 20,
    kernelPath: join(dir, 'kernel'),
    initrdPath: undefined,
    kernelArgs: [],
    drives: [{ id: 'root', path: join(dir, 'disk.ext4'), readOnly: false }],
    nic: { tapName: 'bngr-0123456789', macAddress: '02:62:0a:4d:00:02' },
    limits: {},
    consolePath: join(dir, 'console.log'),
    vmmLogPath: join(dir, 'vmm.log'),
    controlSocketPath: join(dir, 'qmp.sock'),
    agentSocketPath: join(dir, 'agent.sock'),
    onIdentity: (identity) => {
      identities.push(identity);
      return Promise.resolve();
    },
    ...overrides,
  };
  return { spec, identities };
}
