/** The machine as the domain sees it, remembered in memory: what is held can be looked at and compared. */
import type { BootSet } from '../../../src/contracts/image.ts';
import { AppError } from '../../../src/core/app-error.ts';
import type { FetchedTree, FetchSpec, GuestAsset, GuestAssets, Sources } from '../../../src/core/builds/ports.ts';
import type { ImageFolders, StagedImage } from '../../../src/core/images/ports.ts';
import type { HostNetwork } from '../../../src/core/networks/ports.ts';
import type {
  Disks,
  GuestSession,
  GuestShell,
  MachineFolder,
  MachineFolders,
  MachineRuntime,
  SshKeys,
} from '../../../src/core/vms/ports.ts';

/** Everything that would stay behind on a real machine. */
export class FakeHost {
  readonly taps = new Set<string>();
  readonly stagedFolders = new Set<string>();
  readonly imageFolders = new Set<string>();
  readonly machineFolders = new Set<string>();
  readonly runtimes = new Map<string, MachineRuntime>();
  readonly pinnedKeys = new Set<string>();
  readonly openSessions = new Set<object>();

  /** What is held now, for comparison. */
  snapshot(): Record<string, string[]> {
    return {
      taps: [...this.taps],
      stagedFolders: [...this.stagedFolders],
      imageFolders: [...this.imageFolders],
      machineFolders: [...this.machineFolders],
      runtimes: [...this.runtimes.keys()],
      pinnedKeys: [...this.pinnedKeys],
      openSessions: [...this.openSessions].map(() => 'session'),
    };
  }
}

const DIGEST = `sha256:${'a'.repeat(64)}`;
const GIB = 2 ** 30;

export function fakeDisks(): Disks {
  return {
    inspect: () => Promise.resolve({ sizeBytes: 2 * GIB, usedBytes: GIB }),
    clone: () => Promise.resolve('sparse copy' as const),
    check: () => Promise.resolve(),
    grow: () => Promise.resolve(),
    readFile: () => Promise.resolve(undefined),
    writeFiles: () => Promise.resolve(),
    digest: () => Promise.resolve(DIGEST),
    freeBytes: () => Promise.resolve(100 * GIB),
    allocatedBytes: () => Promise.resolve(GIB),
  };
}

export function fakeNetwork(host: FakeHost): HostNetwork {
  return {
    ensureBridge: () => Promise.resolve(),
    addTap: (port) => Promise.resolve(void host.taps.add(port.tapName)),
    removeTap: (tapName) => Promise.resolve(void host.taps.delete(tapName)),
    applyRuleset: () => Promise.resolve(),
    readRuleset: () => Promise.resolve('{"nftables": []}'),
    watch: () => new Promise(() => undefined),
    hasBridge: () => Promise.resolve(host.taps.size > 0),
    listTaps: () => Promise.resolve([...host.taps]),
    removeAll: () => Promise.resolve(host.taps.clear()),
    guestNameServers: () => Promise.resolve(['169.254.1.1']),
  };
}

export function fakeShell(host: FakeHost, onPowerOff: (address: string) => void): GuestShell {
  return {
    awaitGreeting: () => Promise.resolve(),
    connect: (target) => {
      const session: GuestSession = {
        run: (command) => {
          if (command.program === '/sbin/poweroff') onPowerOff(target.address);
          return Promise.resolve({ exitStatus: 0, tail: [] });
        },
        upload: () => Promise.resolve(),
        uploadTree: () => Promise.resolve(),
        open: () => Promise.reject(new Error('no test of this world opens a program')),
        closed: new Promise(() => undefined),
        abandon: () => undefined,
        [Symbol.asyncDispose]: () => Promise.resolve(void host.openSessions.delete(session)),
      };
      host.openSessions.add(session);
      return Promise.resolve(session);
    },
  };
}

export function fakeKeys(host: FakeHost): SshKeys {
  return {
    clientPublicKey: () => Promise.resolve('ssh-ed25519 CLIENT'),
    generateHostKey: () => Promise.resolve({ privateKey: 'PRIVATE', publicKey: 'ssh-ed25519 HOST' }),
    pin: (alias) => Promise.resolve(void host.pinnedKeys.add(alias)),
    unpin: (alias) => Promise.resolve(void host.pinnedKeys.delete(alias)),
    access: (vmName, hostKeyAlias) =>
      Promise.resolve({ vmName, user: 'root', identityPath: '/k', knownHostsPath: '/h', hostKeyAlias }),
  };
}

export function fakeMachineFolders(host: FakeHost): MachineFolders {
  const locate = (vmId: string): MachineFolder => ({
    diskPath: `/vms/${vmId}/disk.ext4`,
    consolePath: `/vms/${vmId}/console.log`,
    vmmLogPath: `/vms/${vmId}/vmm.log`,
    controlSocketPath: `/run/${vmId}/qmp.sock`,
    agentSocketPath: `/run/${vmId}/agent.sock`,
  });
  return {
    locate,
    ensureRunDir: () => Promise.resolve(),
    create: (vmId) => {
      host.machineFolders.add(vmId);
      return Promise.resolve(locate(vmId));
    },
    remove: (vmId) => {
      host.machineFolders.delete(vmId);
      host.runtimes.delete(vmId);
      return Promise.resolve();
    },
    list: () => Promise.resolve([...host.machineFolders]),
    readRuntime: (vmId) => Promise.resolve(host.runtimes.get(vmId)),
    writeRuntime: (vmId, runtime) => Promise.resolve(void host.runtimes.set(vmId, runtime)),
    clearRuntime: (vmId) => Promise.resolve(void host.runtimes.delete(vmId)),
    consoleTail: () => Promise.resolve(['login:']),
  };
}

export function fakeImageFolders(host: FakeHost): ImageFolders {
  const stagedOf = (key: string): StagedImage => ({
    dir: `/staging/${key}`,
    rootfsPath: `/staging/${key}/rootfs.ext4`,
    kernelPath: `/staging/${key}/kernel`,
    initrdPath: `/staging/${key}/initrd`,
    modulesPath: `/staging/${key}/modules`,
  });
  const publish = (staged: StagedImage, imageId: string): Promise<{ rootfsPath: string; boot: BootSet }> => {
    host.stagedFolders.delete(staged.dir.replace('/staging/', ''));
    host.imageFolders.add(imageId);
    const dir = `/images/${imageId}`;
    return Promise.resolve({ rootfsPath: `${dir}/rootfs.ext4`, boot: { kernelPath: `${dir}/kernel` } });
  };
  return {
    publish,
    stage: (key) => {
      host.stagedFolders.add(key);
      return Promise.resolve(stagedOf(key));
    },
    discard: (key) => Promise.resolve(void host.stagedFolders.delete(key)),
    copyBootSet: () => Promise.resolve(),
    writePackages: () => Promise.resolve(),
    readPackages: () => Promise.resolve([]),
    remove: (imageId) => Promise.resolve(void host.imageFolders.delete(imageId)),
    list: () => Promise.resolve([...host.imageFolders]),
    keepFailed: (key) => {
      host.stagedFolders.delete(key);
      return Promise.resolve(`/failed/${key}`);
    },
    listStaged: () => Promise.resolve([...host.stagedFolders]),
    assertReadable: () => Promise.resolve(),
  };
}

export function fakeAssets(): GuestAssets {
  const asset: GuestAsset = { content: new TextEncoder().encode('#!/bin/bash\n'), digest: DIGEST };
  return { read: () => Promise.resolve(asset) };
}

export function fakeSources(): Sources {
  return {
    fetch: (spec: FetchSpec): Promise<FetchedTree> =>
      Promise.resolve({ dir: '/cache/tree', pin: spec.kind === 'git' ? spec.commit : (spec.integrity ?? 'sha512-x') }),
  };
}

/** A kernel file is one unless its name says otherwise. */
export function fakeKernels(): {
  inspectKernel: (path: string) => Promise<{ format: 'bzimage'; version: string }>;
  inspectInitrd: () => Promise<void>;
  inspectModules: () => Promise<string>;
} {
  return {
    inspectKernel: (path) =>
      path.includes('not-a-kernel')
        ? Promise.reject(new AppError('KERNEL_INVALID', `${path} is text`))
        : Promise.resolve({ format: 'bzimage', version: '6.1.0' }),
    inspectInitrd: () => Promise.resolve(),
    inspectModules: () => Promise.resolve('6.1.0'),
  };
}
