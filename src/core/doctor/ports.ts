/** What is true of this host, as far as banger depends on it. Collected by an adapter; judged in checks.ts. */
import type { HostProgram } from './host-programs.ts';

export interface ProgramFact {
  readonly path: string;
  /** Absent where the program does not tell. */
  readonly version: string | undefined;
}

/** `missing`: no such file; `denied`: not for us; `broken`: opening it failed another way. */
export type DeviceState = 'usable' | 'missing' | 'denied' | 'broken';

/** A folder of ours that must be closed to everybody else. */
export type PrivateDirFact =
  | { readonly state: 'absent' | 'safe' }
  | { readonly state: 'unsafe'; readonly message: string; readonly fix: string };

/** A feature of the kernel, tried in a network namespace that vanished with the trial. */
export type FeatureFact =
  | { readonly state: 'works' | 'not-tried' }
  | { readonly state: 'failed'; readonly message: string };

export type DatabaseFact =
  | { readonly state: 'absent' }
  /** The header cannot tell yet: what was written last still waits in the write-ahead log. */
  | { readonly state: 'unsettled' }
  | { readonly state: 'ours'; readonly schemaVersion: number; readonly knownVersion: number }
  | { readonly state: 'foreign' | 'unreadable'; readonly message: string };

export interface RouteFact {
  /** `default`, an address, or `10.0.0.0/8`. */
  readonly destination: string;
  readonly device: string;
}

export interface HostFacts {
  /** As `uname -m` has it: `x86_64`. */
  readonly architecture: string;
  readonly platform: string;
  readonly uid: number;
  readonly programs: Readonly<Record<HostProgram, ProgramFact | undefined>>;
  readonly tunDevice: DeviceState;
  readonly kvmDevice: DeviceState;
  readonly features: {
    readonly bridge: FeatureFact;
    readonly tap: FeatureFact;
    readonly nftables: FeatureFact;
  };
  readonly stateDir: { readonly path: string; readonly writable: boolean; readonly freeBytes: number };
  readonly runtimeDir: { readonly path: string; readonly fact: PrivateDirFact };
  /** The longest unix socket path that banger will bind. */
  readonly longestSocket: { readonly path: string; readonly sizeBytes: number; readonly maxBytes: number };
  readonly memory: { readonly totalBytes: number; readonly availableBytes: number };
  readonly nameServers: readonly string[];
  readonly routes: readonly RouteFact[];
  /** What `nft -j list ruleset` tells; undefined where it tells nothing. */
  readonly rulesetJson: string | undefined;
  readonly database: { readonly path: string; readonly fact: DatabaseFact };
}

/** What the facts are asked for: where this instance lies, and what its config changes. */
export interface InspectRequest {
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly machinesDir: string;
  readonly databasePath: string;
  /** `qemu_bin` of the config. */
  readonly qemuPath: string | undefined;
}

export interface HostInspector {
  /**
   * Looks and never touches: nothing is created, migrated or changed outside throw-away network namespaces.
   * A fact that cannot be had is reported as such, never thrown.
   */
  inspect(request: InspectRequest, signal: AbortSignal): Promise<HostFacts>;
}
