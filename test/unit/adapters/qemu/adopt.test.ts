import { expect, test } from 'vitest';
import { nameInCommandLine } from '../../../../src/adapters/qemu/adopt.ts';
import { qemuArgv } from '../../../../src/adapters/qemu/argv.ts';
import { machineSpec } from '../../../support/machine-spec.ts';

test.each(['/run/vms/vm-1', '/run/with,comma', '/run/with space'])(
  'a machine of ours below %s is known by name',
  (dir) => {
    const { spec } = machineSpec(dir);
    const argv = qemuArgv(spec, { qemuPath: 'qemu', accelerator: 'tcg', tsc: undefined });
    expect(nameInCommandLine(argv, spec.controlSocketPath)).toBe('vm-0123456789');
  },
);

test.each([
  ['no command line', []],
  ['another program', ['sleep', '1000']],
  [
    'a QEMU with another socket',
    ['qemu', '-name', 'vm-1', '-chardev', 'socket,id=control,path=/other,server=on,wait=off'],
  ],
  ['one without a name', ['qemu', '-chardev', 'socket,id=control,path=/s,server=on,wait=off']],
])('%s is none of ours', (_what, argv) => {
  expect(nameInCommandLine(argv, '/s')).toBeUndefined();
});
