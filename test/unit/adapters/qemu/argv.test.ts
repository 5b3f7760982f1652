import { describe, expect, test } from 'vitest';
import { controlOption, escapeOption, qemuArgv, type QemuHost } from '../../../../src/adapters/qemu/argv.ts';
import { machineSpec } from '../../../support/machine-spec.ts';

const HOST: QemuHost = { qemuPath: '/opt/qemu', accelerator: 'tcg', tsc: undefined };

/** The values of an option, in order. */
function valuesOf(argv: readonly string[], option: string): string[] {
  return argv.flatMap((word, index) => (word === option ? [argv[index + 1] ?? ''] : []));
}

describe('qemuArgv', () => {
  test('the whole command line of a usual machine', () => {
    const { spec } = machineSpec('/vm', { initrdPath: '/vm/initrd', kernelArgs: ['ip=10.0.0.2'] });
    expect(qemuArgv(spec, HOST)).toEqual([
      '/opt/qemu',
      ...['-name', 'vm-0123456789'],
      ...['-machine', 'microvm,acpi=on'],
      ...['-accel', 'tcg,thread=multi', '-cpu', 'max'],
      ...['-smp', '1'],
      ...['-m', '134217728B'],
      ...['-nodefaults', '-no-user-config', '-display', 'none'],
      ...['-no-reboot', '-S'],
      ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
      ...['-kernel', '/vm/kernel'],
      ...['-initrd', '/vm/initrd'],
      '-append',
      'console=ttyS0 root=/dev/vda rw rootfstype=ext4 net.ifnames=0 panic=1 printk.time=1 edd=off ip=10.0.0.2',
      ...['-chardev', 'file,id=console,path=/vm/console.log,append=off'],
      ...['-serial', 'chardev:console'],
      ...['-chardev', 'socket,id=control,path=/vm/qmp.sock,server=on,wait=off'],
      ...['-mon', 'chardev=control,mode=control'],
      '-drive',
      'if=none,id=drive-root,file=/vm/disk.ext4,format=raw,readonly=off,cache=writeback,discard=unmap,detect-zeroes=unmap',
      ...['-device', 'virtio-blk-device,drive=drive-root,serial=root'],
      ...['-netdev', 'tap,id=nic0,ifname=bngr-0123456789,script=no,downscript=no'],
      ...['-device', 'virtio-net-device,netdev=nic0,mac=02:62:0a:4d:00:02'],
      ...['-device', 'virtio-rng-device'],
      ...['-chardev', 'socket,id=agent,path=/vm/agent.sock,server=on,wait=off'],
      ...['-device', 'virtio-serial-device,max_ports=2'],
      ...['-device', 'virtserialport,chardev=agent,name=banger.agent,id=agent,nr=1'],
      ...['-device', 'pvpanic'],
    ]);
  });

  test('KVM uses the host’s processor and measures its own clock', () => {
    const { spec } = machineSpec('/vm');
    const argv = qemuArgv(spec, { qemuPath: 'qemu', accelerator: 'kvm', tsc: { khz: 2_500_000, trusted: true } });
    expect(valuesOf(argv, '-accel')).toEqual(['kvm']);
    expect(valuesOf(argv, '-cpu')).toEqual(['host']);
    expect(valuesOf(argv, '-append')[0]).not.toContain('tsc');
  });

  test('without an initrd there is no such option', () => {
    expect(qemuArgv(machineSpec('/vm').spec, HOST)).not.toContain('-initrd');
  });

  test('a bound of what disks may move is one of each drive', () => {
    const { spec } = machineSpec('/vm', { limits: { diskBytesPerSecond: 1_000_000 } });
    expect(valuesOf(qemuArgv(spec, HOST), '-drive')).toEqual([
      expect.stringMatching(/,detect-zeroes=unmap,throttling\.bps-total=1000000$/),
    ]);
  });

  test('drives keep their order, and a read-only one is one', () => {
    const { spec } = machineSpec('/vm', {
      drives: [
        { id: 'root', path: '/vm/a', readOnly: true },
        { id: 'data_1', path: '/vm/b', readOnly: false },
      ],
    });
    const drives = valuesOf(qemuArgv(spec, HOST), '-drive');
    expect(drives.map((drive) => drive.slice(0, drive.indexOf(',format')))).toEqual([
      'if=none,id=drive-root,file=/vm/a',
      'if=none,id=drive-data_1,file=/vm/b',
    ]);
    expect(drives.map((drive) => /readonly=(\w+)/.exec(drive)?.[1])).toEqual(['on', 'off']);
    expect(valuesOf(qemuArgv(spec, HOST), '-append')[0]).toMatch(/root=\/dev\/vda ro /);
  });

  test('a comma in a path adds no option', () => {
    const { spec } = machineSpec('/vm,readonly=on');
    const argv = qemuArgv(spec, HOST);
    expect(valuesOf(argv, '-drive')[0]).toContain('file=/vm,,readonly=on/disk.ext4,format=raw');
    expect(valuesOf(argv, '-chardev')[0]).toContain('path=/vm,,readonly=on/console.log,append=off');
    expect(valuesOf(argv, '-chardev')[1]).toBe(controlOption('/vm,readonly=on/qmp.sock'));
    // Not an option list: taken as it is.
    expect(valuesOf(argv, '-kernel')).toEqual(['/vm,readonly=on/kernel']);
  });
});

test.each([
  ['/plain', '/plain'],
  ['a,b', 'a,,b'],
  [',,', ',,,,'],
  ['', ''],
])('escapeOption(%j) is %j', (value, escaped) => {
  expect(escapeOption(value)).toBe(escaped);
});
