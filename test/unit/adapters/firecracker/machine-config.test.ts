import { describe, expect, test } from 'vitest';
import { bootArguments } from '../../../../src/adapters/firecracker/boot-args.ts';
import { configFault } from '../../../../src/adapters/firecracker/config-check.ts';
import { machineRequests, stateRequest } from '../../../../src/adapters/firecracker/machine-config.ts';
import { openPlaces } from '../../../../src/adapters/firecracker/places.ts';
import type { MachineSpec } from '../../../../src/core/vms/engine.ts';
import { machineSpec } from '../../../support/machine-spec.ts';

function version(minor: number) {
  return { major: 1, minor, patch: 0, text: `1.${minor}.0` };
}

/** As it goes over the wire: what is undefined is left out. */
function requests(overrides: Partial<MachineSpec> = {}, minor = 16) {
  const { spec } = machineSpec('/m', overrides);
  const list = machineRequests(spec, openPlaces(spec), version(minor)).map(
    ({ method, path, body }) =>
      [`${method} ${path}`, JSON.parse(JSON.stringify(body)) as Record<string, unknown>] as const,
  );
  return { names: list.map(([name]) => name), bodies: Object.fromEntries(list) };
}

describe('a machine', () => {
  const drives = [
    { id: 'root', path: '/m/disk.ext4', readOnly: false },
    { id: 'data_1', path: '/m/data.ext4', readOnly: true },
  ];

  test('is asked for in the order that Firecracker wants', () => {
    expect(requests({ drives }).names).toEqual([
      'PUT /logger',
      'PUT /metrics',
      'PUT /serial',
      'PUT /machine-config',
      'PUT /boot-source',
      'PUT /drives/root',
      'PUT /drives/data_1',
      'PUT /network-interfaces/eth0',
      'PUT /vsock',
      'PUT /entropy',
      'PUT /balloon',
    ]);
  });

  test('has whole bodies, without null, and nothing that is deprecated', () => {
    const { bodies } = requests({ drives, cpus: 3, memoryBytes: 512 * 2 ** 20 + 4096 });
    expect(bodies).toMatchObject({
      'PUT /logger': { level: 'Warning', show_level: true, show_log_origin: false },
      'PUT /metrics': { metrics_path: '/m/metrics.ndjson' },
      'PUT /machine-config': { vcpu_count: 3, mem_size_mib: 512 },
      'PUT /vsock': { guest_cid: 3, uds_path: '/m/agent.sock' },
      'PUT /entropy': {},
      'PUT /balloon': { amount_mib: 0, deflate_on_oom: true, stats_polling_interval_s: 10 },
    });
    expect(bodies['PUT /network-interfaces/eth0']).toEqual({
      iface_id: 'eth0',
      host_dev_name: 'bngr-0123456789',
      guest_mac: '02:62:0a:4d:00:02',
    });
    expect(bodies['PUT /drives/root']).toEqual({
      drive_id: 'root',
      path_on_host: '/m/disk.ext4',
      is_root_device: true,
      is_read_only: false,
      cache_type: 'Writeback',
    });
    expect(bodies['PUT /drives/data_1']).toMatchObject({ is_root_device: false, is_read_only: true });
    expect(JSON.stringify(bodies)).not.toMatch(/null|vsock_id|cpu_template/);
  });

  test.each([
    [14, undefined],
    [15, undefined],
    [16, { size: 2 ** 20, one_time_burst: 4 * 2 ** 20, refill_time: 10_000 }],
  ])('bounds its console’s rate where 1.%i can', (minor, bucket) => {
    const { bodies } = requests({}, minor);
    expect(bodies['PUT /serial']).toEqual({
      serial_out_path: '/m/console.log',
      ...(bucket && { rate_limiter: bucket }),
    });
  });

  test('with an initrd has no root drive: the initrd finds it by the command line', () => {
    const { bodies } = requests({ initrdPath: '/m/initrd', drives });
    expect(bodies['PUT /boot-source']).toMatchObject({
      kernel_image_path: '/m/kernel',
      initrd_path: '/m/initrd',
      boot_args: expect.stringContaining(' root=/dev/vda rw'),
    });
    expect([bodies['PUT /drives/root'], bodies['PUT /drives/data_1']]).toMatchObject([
      { is_root_device: false },
      { is_root_device: false },
    ]);
  });

  test.each([
    // A bucket holds a second's worth, and is refilled in one.
    [10_000_000, { size: 10_000_000, refill_time: 1_000 }],
    // Smaller ones would stand still: larger, and refilled more slowly.
    [65_536, { size: 262_144, refill_time: 4_000 }],
    [1, { size: 262_144, refill_time: 262_144_000 }],
  ])('of %i bytes a second', (bytesPerSecond, bucket) => {
    const { bodies } = requests({
      limits: { diskBytesPerSecond: bytesPerSecond, networkBytesPerSecond: bytesPerSecond },
    });
    expect(bodies['PUT /drives/root']).toMatchObject({ rate_limiter: { bandwidth: bucket } });
    expect(bodies['PUT /network-interfaces/eth0']).toMatchObject({
      rx_rate_limiter: { bandwidth: bucket },
      tx_rate_limiter: { bandwidth: bucket },
    });
  });

  test('is paused and resumed by its state', () => {
    expect(stateRequest('Paused')).toEqual({ method: 'PATCH', path: '/vm', body: { state: 'Paused' } });
  });
});

describe('kernel arguments', () => {
  const drives = [{ id: 'root', path: '/d', readOnly: true }];

  test.each([
    [undefined, []],
    ['/initrd', ['root=/dev/vda', 'ro']],
  ])('with initrd %s', (initrdPath, root) => {
    expect(bootArguments({ drives, kernelArgs: ['ip=1'], initrdPath })).toEqual([
      ...['console=ttyS0', 'reboot=k', 'banger.poweroff=reboot', 'panic=1'],
      ...['i8042.noaux', 'i8042.nomux', 'i8042.dumbkbd', 'random.trust_cpu=on', 'printk.time=1'],
      ...['rootfstype=ext4', 'net.ifnames=0', ...root, 'ip=1'],
    ]);
  });
});

describe('a configuration that is not what was asked for', () => {
  const { spec } = machineSpec('/m');
  const good = {
    'machine-config': { vcpu_count: 1, mem_size_mib: 128 },
    'boot-source': { kernel_image_path: '/m/kernel' },
    drives: [{ drive_id: 'root', path_on_host: '/m/disk.ext4' }],
    'network-interfaces': [{ iface_id: 'eth0', host_dev_name: 'bngr-0123456789' }],
    vsock: { uds_path: '/m/agent.sock' },
  };

  test.each([
    [{}, undefined],
    [{ 'machine-config': { vcpu_count: 2, mem_size_mib: 128 } }, 'processors: 2 instead of 1'],
    [{ 'machine-config': { vcpu_count: 1, mem_size_mib: 64 } }, 'memory: 64 instead of 128'],
    [{ 'boot-source': null }, 'kernel: undefined instead of /m/kernel'],
    [{ drives: [] }, 'drives:  instead of /m/disk.ext4'],
    [{ drives: null }, 'drives:  instead of /m/disk.ext4'],
    [{ 'network-interfaces': [{}] }, 'network card: undefined instead of bngr-0123456789'],
    [{ vsock: null }, 'vsock: undefined instead of /m/agent.sock'],
  ])('%j', (changes, fault) => {
    expect(configFault({ ...good, ...changes }, spec, openPlaces(spec))).toBe(fault);
  });

  test.each([undefined, null, 'text', 7])('%j is none at all', (config) => {
    expect(configFault(config, spec, openPlaces(spec))).toContain('processors');
  });
});
