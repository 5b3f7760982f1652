/** What the facts mean: one line each, with the exact command that mends what is wrong. Pure. */
import type { Config } from '../../contracts/config.ts';
import type { DnsStatus } from '../../contracts/dns.ts';
import type { DoctorCheck, DoctorTopic } from '../../contracts/doctor.ts';
import { defaultMemoryBytes } from '../../contracts/vm-defaults.ts';
import { formatSize } from '../../contracts/size.ts';
import type { EngineName } from '../../contracts/vm.ts';
import { AppError } from '../app-error.ts';
import { planAddresses } from '../networks/address-plan.ts';
import { overlaps, parseCidr } from '../../contracts/ipv4.ts';
import { checkEngines, type EngineFact } from './engine-checks.ts';
import { type HostProgram, neededGroups } from './host-programs.ts';
import { findObstacles } from './other-firewalls.ts';
import type { DeviceState, FeatureFact, HostFacts, RouteFact } from './ports.ts';

const GIB = 2 ** 30;

/** Free space that a job needs before it may begin, `bytes`. A first image and what it is made from take 3 GiB. */
const NEEDED_BYTES: Readonly<Record<DoctorTopic, number>> = {
  all: 3 * GIB,
  bootstrap: 3 * GIB,
  build: 3 * GIB,
  vm: GIB,
};

/** What the host itself and QEMU need beside a guest's memory. */
const MEMORY_RESERVE_BYTES = 256 * 2 ** 20;

/** The config, or why it cannot be used. */
export type ConfigOutcome =
  | { readonly state: 'valid'; readonly path: string; readonly config: Config }
  | {
      readonly state: 'invalid';
      readonly path: string;
      readonly message: string;
      readonly hint: string;
      readonly config: Config;
    };

export interface CheckRequest {
  readonly topic: DoctorTopic;
  readonly engine: EngineName | 'auto';
  readonly config: ConfigOutcome;
  /** How guests' names stand; undefined where the config has them published nowhere. */
  readonly names: DnsStatus | undefined;
  /** Each engine that this version has, as it is here. */
  readonly engines: readonly EngineFact[];
}

/** Checks what the topic, the engine and the config need, and nothing else, in the order a user would mend it. */
export function judgeHost(request: CheckRequest, facts: HostFacts): DoctorCheck[] {
  const { topic } = request;
  const bootsGuests = topic !== 'bootstrap';
  return [
    checkArchitecture(facts),
    checkRoot(facts),
    checkConfig(request.config),
    ...checkPrograms(request, facts),
    ...(bootsGuests
      ? [...checkEngines(request.config.config, request.engines, facts.kvmDevice), ...checkNetworkDevices(facts)]
      : []),
    checkRuntimeDir(facts),
    checkSocketPath(facts),
    checkStateDir(topic, facts),
    ...(bootsGuests ? [checkMemory(request, facts)] : []),
    checkDatabase(facts),
    checkNameServers(request, facts),
    ...(bootsGuests ? [checkNetwork(request, facts), ...checkOtherFirewalls(request, facts)] : []),
    ...(bootsGuests && request.names ? [checkGuestNames(request.names)] : []),
  ];
}

function ok(name: string, message: string): DoctorCheck {
  return { name, outcome: 'ok', message };
}

function failed(name: string, message: string, fix: string): DoctorCheck {
  return { name, outcome: 'failed', message, fix };
}

function warning(name: string, message: string, fix: string): DoctorCheck {
  return { name, outcome: 'warning', message, fix };
}

/** A command as this user has to type it. */
function asRoot(facts: HostFacts, command: string): string {
  return facts.uid === 0 ? command : `sudo ${command}`;
}

function checkArchitecture(facts: HostFacts): DoctorCheck {
  if (facts.platform === 'linux' && facts.architecture === 'x86_64') return ok('architecture', 'Linux on x86-64');
  return failed(
    'architecture',
    `This host is ${facts.platform} on ${facts.architecture}; banger runs on Linux on x86-64 only`,
    'Use an x86-64 Linux machine.',
  );
}

function checkRoot(facts: HostFacts): DoctorCheck {
  if (facts.uid === 0) return ok('root', 'Running as root');
  return failed(
    'root',
    `Running as uid ${facts.uid}; this version sets up its network namespace as root`,
    'Run banger as root: `sudo -i`, then the same command.',
  );
}

function checkConfig(config: ConfigOutcome): DoctorCheck {
  if (config.state === 'valid') return ok('config', `The config is valid (${config.path})`);
  return failed('config', config.message.replaceAll('\n', '; '), config.hint);
}

function checkPrograms(request: CheckRequest, facts: HostFacts): DoctorCheck[] {
  const { network, qemu_bin: qemuPath } = request.config.config;
  return neededGroups(request.topic, network.mode).map((group) => {
    const missing = group.programs.filter((program) => facts.programs[program] === undefined);
    if (missing.length === 0) return ok(group.check, describePrograms(group.programs, facts));
    if (group.check === 'qemu-binary' && qemuPath !== undefined) {
      return failed(
        group.check,
        `${qemuPath} cannot be run; the config's qemu_bin names it`,
        'Mend qemu_bin in the config, or take it out.',
      );
    }
    const are = missing.length === 1 ? 'is' : 'are';
    return failed(
      group.check,
      `${missing.join(', ')} ${are} not installed; ${group.debianPackage} ${group.purpose}`,
      asRoot(facts, `apt-get install -y ${group.debianPackage}`),
    );
  });
}

function describePrograms(programs: readonly HostProgram[], facts: HostFacts): string {
  const first = facts.programs[programs[0] ?? 'ip'];
  const version = first?.version === undefined ? '' : ` ${first.version}`;
  return programs.length === 1 ? `${first?.path ?? ''}${version}` : `${programs.join(', ')}${version}`;
}

function describeDevice(path: string, state: DeviceState): string {
  const words: Readonly<Record<DeviceState, string>> = {
    usable: 'can be used',
    missing: 'is not there',
    denied: 'may not be opened by this user',
    broken: 'cannot be opened',
  };
  return `${path} ${words[state]}`;
}

function checkNetworkDevices(facts: HostFacts): DoctorCheck[] {
  const { bridge, tap, nftables } = facts.features;
  const tun =
    facts.tunDevice === 'usable'
      ? ok('tun-device', '/dev/net/tun can be used')
      : failed('tun-device', describeDevice('/dev/net/tun', facts.tunDevice), mendTun(facts));
  return [
    tun,
    checkFeature('kernel-bridge', 'network bridges', { fact: bridge, fix: asRoot(facts, 'modprobe bridge') }),
    checkFeature('kernel-tap', 'TAP devices', { fact: tap, fix: asRoot(facts, 'modprobe tun') }),
    checkFeature('kernel-nftables', 'nftables with address translation', {
      fact: nftables,
      fix: asRoot(facts, 'modprobe -a nf_tables nft_chain_nat nft_masq'),
    }),
  ].filter((check) => check !== undefined);
}

function mendTun(facts: HostFacts): string {
  if (facts.tunDevice !== 'denied') return asRoot(facts, 'modprobe tun');
  return facts.uid === 0 ? 'Give this container the device /dev/net/tun.' : 'sudo chmod 666 /dev/net/tun';
}

/** @returns nothing where the trial was not possible: what prevented it has a check of its own. */
function checkFeature(
  name: string,
  what: string,
  { fact, fix }: { readonly fact: FeatureFact; readonly fix: string },
): DoctorCheck | undefined {
  if (fact.state === 'not-tried') return undefined;
  return fact.state === 'failed'
    ? failed(name, `The kernel refuses ${what}: ${fact.message}`, fix)
    : ok(name, `The kernel has ${what}`);
}

function checkRuntimeDir({ runtimeDir }: HostFacts): DoctorCheck {
  const { path, fact } = runtimeDir;
  if (fact.state === 'unsafe') return failed('runtime-folder', fact.message, fact.fix);
  return ok('runtime-folder', fact.state === 'safe' ? `${path} is ours alone` : `${path} is made when it is needed`);
}

function checkSocketPath({ longestSocket }: HostFacts): DoctorCheck {
  const { path, sizeBytes, maxBytes } = longestSocket;
  if (sizeBytes <= maxBytes) return ok('socket-path', `The longest socket path has ${sizeBytes} of ${maxBytes} bytes`);
  return failed(
    'socket-path',
    `Socket paths such as ${path} have ${sizeBytes} bytes; the system allows ${maxBytes}`,
    'Set BANGER_HOME, or XDG_RUNTIME_DIR, to a shorter path.',
  );
}

function checkStateDir(topic: DoctorTopic, { stateDir }: HostFacts): DoctorCheck {
  const needed = NEEDED_BYTES[topic];
  if (!stateDir.writable) {
    return failed(
      'state-folder',
      `${stateDir.path} cannot be written to`,
      'Give yourself the folder, or set BANGER_HOME to one of yours.',
    );
  }
  const free = `${formatSize(stateDir.freeBytes)} free in ${stateDir.path}`;
  if (stateDir.freeBytes >= needed) return ok('state-folder', free);
  return failed(
    'state-folder',
    `Only ${free}; ${formatSize(needed)} are needed`,
    'Free some space, or set BANGER_HOME to a larger disk.',
  );
}

function checkMemory(request: CheckRequest, { memory }: HostFacts): DoctorCheck {
  const guestBytes = request.config.config.vm_defaults.memory ?? defaultMemoryBytes(memory.totalBytes);
  const needed = guestBytes + MEMORY_RESERVE_BYTES;
  const fix = 'Set [vm_defaults] memory to less, or use a larger machine.';
  const guest = `a VM gets ${formatSize(guestBytes)}`;
  if (memory.totalBytes < needed) {
    return failed('memory', `The host has ${formatSize(memory.totalBytes)} of memory and ${guest}`, fix);
  }
  const available = `${formatSize(memory.availableBytes)} of ${formatSize(memory.totalBytes)} memory available`;
  return memory.availableBytes < needed
    ? warning('memory', `Only ${available}; ${guest}`, fix)
    : ok('memory', available);
}

function checkDatabase({ database }: HostFacts): DoctorCheck {
  const { path, fact } = database;
  switch (fact.state) {
    case 'absent':
      return ok('database', `${path} is made at the first start`);
    case 'unsettled':
      return ok('database', `${path} is in use; its last changes are not settled yet`);
    case 'foreign':
      return failed('database', fact.message, 'Move the file away, or set BANGER_HOME to another folder.');
    case 'unreadable':
      return failed('database', fact.message, 'Make the file readable, or move it away to begin anew.');
    case 'ours':
      if (fact.schemaVersion <= fact.knownVersion) return ok('database', `${path} has schema ${fact.schemaVersion}`);
      return failed(
        'database',
        `${path} was written by a newer banger: its schema is ${fact.schemaVersion}, this one knows ${fact.knownVersion}`,
        'Install the newer banger again, or put back the copy it made before the upgrade.',
      );
  }
}

function checkNameServers(request: CheckRequest, facts: HostFacts): DoctorCheck {
  const { dns } = request.config.config.network;
  if (dns !== undefined) return ok('name-servers', `Guests resolve names through ${dns} ([network] dns)`);
  const { nameServers } = facts;
  const fix = 'Set [network] dns in the config to a server that guests can reach.';
  if (nameServers.length === 0) {
    return failed('name-servers', '/etc/resolv.conf names no server: neither banger nor its guests resolve names', fix);
  }
  const known = nameServers.join(', ');
  if (request.config.config.network.mode === 'host' && nameServers.every(isLoopback)) {
    return failed('name-servers', `The host resolves names through ${known}, which guests cannot reach`, fix);
  }
  return ok('name-servers', `Names resolve through ${known}`);
}

/** A resolver of the host's own, such as systemd-resolved's 127.0.0.53. In mode `isolated` pasta forwards to it. */
function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

function checkNetwork(request: CheckRequest, facts: HostFacts): DoctorCheck {
  const { cidr } = request.config.config.network;
  try {
    planAddresses(cidr);
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'CONFIG_INVALID')) throw error;
    return failed('network', error.message, error.hint);
  }
  const clash = findOverlap(request, facts);
  if (!clash) return ok('network', `The guests' network ${cidr} overlaps with no route of the host`);
  return failed(
    'network',
    `The guests' network ${cidr} overlaps with the host's route ${clash.destination} on ${clash.device}`,
    'Set [network] cidr in the config to a network that is free, such as 10.200.0.0/20.',
  );
}

/**
 * In mode `host` no route may overlap with the guests' network. In mode `isolated` only those of the interface that leads
 * outside matter: pasta gives banger's namespace the same address and routes.
 */
function findOverlap(request: CheckRequest, facts: HostFacts): RouteFact | undefined {
  const { mode, cidr, bridge_name: bridgeName } = request.config.config.network;
  const ours = parseCidr(cidr);
  const uplink = facts.routes.find((route) => route.destination === 'default')?.device;
  return facts.routes.find(({ destination, device }) => {
    // `default` is no network; a lone address is one of 32 bits.
    const theirs = parseCidr(destination.includes('/') ? destination : `${destination}/32`);
    const matters = mode === 'host' ? device !== bridgeName : device === uplink;
    return matters && ours !== undefined && theirs !== undefined && overlaps(ours, theirs);
  });
}

/** In mode `isolated` guests' packets leave as pasta's, which no rule about forwarding meets. */
function checkOtherFirewalls(request: CheckRequest, { rulesetJson }: HostFacts): DoctorCheck[] {
  const { mode, bridge_name: bridgeName } = request.config.config.network;
  if (mode !== 'host' || rulesetJson === undefined) return [];
  const name = 'other-firewalls';
  const obstacles = findObstacles(rulesetJson, bridgeName, /^banger_[0-9a-f]{8}$/);
  if (obstacles.length === 0) return [ok(name, 'No rule of another firewall stops what guests may reach')];
  return obstacles.map(({ owner, chain, what, fix }) =>
    warning(
      name,
      `Guests reach nothing outside: ${owner} stops what they send, or the answers, in ${chain} (${what})`,
      fix.join(' && '),
    ),
  );
}

/** Names are asked for by the user: that they were not is nothing to mend. */
function checkGuestNames({ wiring, server, answers, resolves, zone }: DnsStatus): DoctorCheck {
  const name = 'guest-names';
  const place = `${server.address} port ${server.port}`;
  if (resolves) return ok(name, `The host resolves names such as calm-otter.${zone} through ${place}`);
  if (!wiring)
    return ok(name, `The host is not told of names such as calm-otter.${zone}; \`banger dns enable\` does it`);
  if (!answers) return ok(name, `${wiring.resolver} asks ${place}, where banger answers while its daemon runs guests`);
  return warning(
    name,
    `banger answers for names at ${place}, and the host does not ask it, although ${wiring.path} says so`,
    wiring.reload.join(' '),
  );
}
