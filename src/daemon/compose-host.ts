/** What is composed for commands that look at the host, or change it, with no daemon. */
import type { Config } from '../contracts/config.ts';
import { createDisks } from '../adapters/disks/disks.ts';
import { HostFactsCollector } from '../adapters/host-facts/host-facts.ts';
import { FileResolver } from '../adapters/host-resolver/file-resolver.ts';
import { createKernelInspector } from '../adapters/kernels/inspector.ts';
import { MIGRATIONS } from '../adapters/store/migrations/all-migrations.ts';
import type { HostInspector } from '../core/doctor/ports.ts';
import { DnsWiring } from '../core/resolver/dns-wiring.ts';
import { packageRoot } from '../host/build-id.ts';
import { agentFiles, type Paths } from '../host/paths.ts';
import { composeEngines, type Engineering } from './compose-engines.ts';

/** What `doctor` looks through; needs nothing that a daemon has made. */
export function composeHostInspector(uid: number): HostInspector {
  return new HostFactsCollector({ uid, knownSchemaVersion: MIGRATIONS.length });
}

/** The engines of this host with no daemon: nothing is started with them but a probe. */
export function composeDoctorEngines(paths: Paths, config: Config): Engineering {
  const disks = createDisks({ tempDir: paths.stagingDir });
  return composeEngines({
    paths,
    config,
    timeoutScale: 1,
    kernels: createKernelInspector(),
    agentPath: agentFiles(packageRoot()).program,
    digest: (path, signal) => disks.digest(path, signal),
    log: () => undefined,
    onProbed: () => undefined,
  });
}

/** `banger dns`: works on the host's files, with no daemon. */
export function composeDnsWiring(paths: Paths, config: Config, uid: number): DnsWiring {
  return new DnsWiring({
    resolver: new FileResolver({ recordPath: paths.dnsRecord }),
    instance: { cidr: config.network.cidr, namespaceName: paths.namespaceName },
    homePath: paths.homePath,
    isRoot: uid === 0,
  });
}
