import { configSchema } from '../../../../src/contracts/config.ts';
import type { CheckRequest } from '../../../../src/core/doctor/checks.ts';
import { HOST_PROGRAMS, type HostProgram } from '../../../../src/core/doctor/host-programs.ts';
import type { HostFacts, ProgramFact } from '../../../../src/core/doctor/ports.ts';

const GIB = 2 ** 30;

/** A host with everything; tests take away one thing at a time. */
export function healthyHost(differences: Partial<HostFacts> = {}): HostFacts {
  return {
    architecture: 'x86_64',
    platform: 'linux',
    uid: 0,
    programs: programsWithout(),
    tunDevice: 'usable',
    kvmDevice: 'usable',
    features: { bridge: { state: 'works' }, tap: { state: 'works' }, nftables: { state: 'works' } },
    stateDir: { path: '/srv/b/state', writable: true, freeBytes: 50 * GIB },
    runtimeDir: { path: '/srv/b/run', fact: { state: 'safe' } },
    longestSocket: { path: '/srv/b/run/vms/vm-0000000000/qmp.sock', sizeBytes: 37, maxBytes: 107 },
    memory: { totalBytes: 16 * GIB, availableBytes: 12 * GIB },
    nameServers: ['192.0.2.53'],
    rulesetJson: '{"nftables": []}',
    routes: [
      { destination: 'default', device: 'eth0' },
      { destination: '192.0.2.0/24', device: 'eth0' },
    ],
    database: { path: '/srv/b/state/state.db', fact: { state: 'ours', schemaVersion: 3, knownVersion: 3 } },
    ...differences,
  };
}

/** Every program at version 1.0, but these. */
export function programsWithout(...missing: readonly HostProgram[]): HostFacts['programs'] {
  const names = Object.keys(HOST_PROGRAMS) as HostProgram[];
  return Object.fromEntries(
    names.map((name) => [name, missing.includes(name) ? undefined : { path: `/usr/bin/${name}`, version: '1.0' }]),
  ) as Record<HostProgram, ProgramFact | undefined>;
}

/** A request for everything, with a config as the file would have it. */
export function requestFor(
  differences: Partial<CheckRequest> & { readonly config?: never; readonly file?: object } = {},
): CheckRequest {
  const { file, ...rest } = differences;
  return {
    topic: 'all',
    engine: 'auto',
    config: { state: 'valid', path: '/srv/b/config/config.toml', config: configSchema.parse(file ?? {}) },
    names: undefined,
    engines: [{ name: 'qemu', refusal: undefined, finding: undefined }],
    ...rest,
  };
}
