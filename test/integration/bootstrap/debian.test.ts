import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createDebianBootstrapper } from '../../../src/adapters/bootstrap/debian.ts';
import { AppError } from '../../../src/core/app-error.ts';
import type { BootstrapRequest } from '../../../src/contracts/build.ts';
import type { Config } from '../../../src/contracts/config.ts';
import type { StagedImage } from '../../../src/core/images/ports.ts';
import type { StageRunner } from '../../../src/core/operations/operation-context.ts';
import { identifyProcess } from '../../../src/host/process-identity.ts';
import { run, supervise } from '../../../src/host/process.ts';

const MIB = 2 ** 20;
const DRIVER = fileURLToPath(new URL('../../support/bootstrap-driver.ts', import.meta.url));

let root: string;
let staged: StagedImage;
let umask: number;

beforeEach(async () => {
  umask = process.umask(0o077);
  root = await mkdtemp(join(tmpdir(), 'banger-bootstrap-'));
  const dir = join(root, 'staging');
  await mkdir(dir);
  staged = {
    dir,
    rootfsPath: join(dir, 'rootfs.ext4'),
    kernelPath: join(dir, 'kernel'),
    initrdPath: join(dir, 'initrd'),
    modulesPath: join(dir, 'modules'),
  };
});

afterEach(async () => {
  process.umask(umask);
  await rm(root, { recursive: true, force: true });
});

/** A program in mmdebstrap's place: `body` of a shell script that finds its last arguments in $TAR. */
async function fakeMmdebstrap(body: string): Promise<string> {
  const path = join(root, 'fake-mmdebstrap');
  await writeFile(path, `#!/bin/bash\nset -eu\numask 022\nfor TAR; do :; done\n${body}\n`);
  await chmod(path, 0o700);
  return path;
}

/** Packs what a minimal Debian would have, as far as anybody here looks at it. */
const SMALL_SYSTEM = `
echo "I: arguments: $*" >&2
echo "I: proxy: \${http_proxy:-none}" >&2
T=$TMPDIR/chroot; mkdir -p $T/{boot,dev,etc/ssh/sshd_config.d,etc/systemd/{system/multi-user.target.wants,network},usr/lib,var/lib/dpkg}
echo old-kernel >$T/boot/vmlinuz-6.1.0-1; echo kernel >$T/boot/vmlinuz-6.1.0-2; echo initrd >$T/boot/initrd.img-6.1.0-2
echo secret >$T/etc/ssh/ssh_host_ed25519_key; echo public >$T/etc/ssh/ssh_host_ed25519_key.pub; echo conf >$T/etc/ssh/sshd_config
ln -s /run/systemd/resolve/stub-resolv.conf $T/etc/resolv.conf; ln -s usr/lib $T/lib
echo 0123456789 >$T/etc/machine-id; mknod $T/dev/null c 1 3 || :
printf 'Package: zlib1g\\nStatus: install ok installed\\nVersion: 1:1.2\\n\\nPackage: gone\\nStatus: deinstall ok config-files\\nVersion: 1\\n\\nPackage: bash\\nStatus: install ok installed\\nVersion: 5.2\\n' >$T/var/lib/dpkg/status
chown 0:42 $T/etc/ssh/sshd_config || :; chmod 0640 $T/etc/ssh/sshd_config
tar -C $T --numeric-owner -cf $TAR .
rm -rf $T`;

interface Trace {
  readonly stages: string[];
  readonly lines: string[];
  readonly run: StageRunner;
}

function trace(signal: AbortSignal): Trace {
  const stages: string[] = [];
  const lines: string[] = [];
  return {
    stages,
    lines,
    run: async (name, work) => {
      stages.push(name);
      return work({ signal, log: (line) => lines.push(line), progress: () => undefined, note: () => undefined });
    },
  };
}

async function bootstrap(
  body: string,
  options: {
    readonly request?: Partial<BootstrapRequest>;
    readonly signal?: AbortSignal;
    readonly apt?: Config['apt'];
  } = {},
): Promise<Trace & { packages: readonly string[] }> {
  const signal = options.signal ?? new AbortController().signal;
  const seen = trace(signal);
  const bootstrapper = createDebianBootstrapper({
    assets: { read: async (path) => ({ content: Buffer.from(`asset ${path}\n`), digest: '' }) },
    uid: process.getuid?.() ?? 0,
    apt: options.apt ?? {},
    mmdebstrapPath: await fakeMmdebstrap(body),
  });
  const request: BootstrapRequest = {
    distribution: 'debian',
    release: 'bookworm',
    sizeBytes: 64 * MIB,
    packages: [],
    ...options.request,
  };
  const packages = await bootstrapper.bootstrap(request, staged, seen.run, signal);
  return { ...seen, packages };
}

async function inImage(command: string): Promise<string> {
  return (await run(['debugfs', '-R', command, staged.rootfsPath])).stdout;
}

test('makes rootfs, kernel and initrd, and says which packages are in it', async () => {
  const { stages, lines, packages } = await bootstrap(SMALL_SYSTEM, {
    request: { packages: ['git'] },
    apt: { proxy: 'http://proxy.example:3128' },
  });
  expect(stages).toEqual(['packages', 'files', 'filesystem']);
  expect(packages).toEqual(['bash 5.2', 'zlib1g 1:1.2']);
  expect(lines[0]).toMatch(/--variant=minbase .*openssh-server.*,git --setup-hook=\S+ bookworm .*packages\.tar$/);
  expect(lines[1]).toBe('I: proxy: http://proxy.example:3128');
  expect((await readdir(staged.dir)).toSorted()).toEqual(['initrd', 'kernel', 'rootfs.ext4']);
  expect(await readFile(staged.kernelPath, 'utf8')).toBe('kernel\n');
  expect(await readFile(staged.initrdPath, 'utf8')).toBe('initrd\n');
  for (const path of [staged.kernelPath, staged.initrdPath, staged.rootfsPath]) {
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  }
  expect((await stat(staged.rootfsPath)).size).toBe(64 * MIB);
  await run(['e2fsck', '-fn', staged.rootfsPath]);
});

test('the hook that sets up apt lies ready with its library and the mirrors, and names none by itself', async () => {
  const look = `
    for word; do case $word in --setup-hook=*) hook=\${word#*=};; esac; done
    echo "I: $(stat -c %a $hook) $(cat $hook)" >&2
    echo "I: $(cat \${hook%/*}/apt-sources.sh)" >&2
    echo "I: \${BANGER_APT_MIRROR:-none} \${BANGER_APT_SECURITY_MIRROR:-none}" >&2`;
  const told = async (apt: Config['apt']): Promise<string[]> => {
    const { lines } = await bootstrap(`${look}\n${SMALL_SYSTEM}`, { apt });
    for (const path of [staged.rootfsPath, staged.kernelPath, staged.initrdPath]) await rm(path);
    return lines.slice(0, 3);
  };
  const files = ['I: 700 asset bootstrap/setup-hook.sh', 'I: asset lib/apt-sources.sh'];
  expect(await told({})).toEqual([...files, 'I: none none']);
  expect(await told({ mirror: 'http://m.example/debian', security_mirror: 'http://s.example/security' })).toEqual([
    ...files,
    'I: http://m.example/debian http://s.example/security',
  ]);
});

test('lays out what a VM is reached by, with the modes it needs, and leaves out what is one machine’s own', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only root can give files to others');
  await bootstrap(SMALL_SYSTEM);
  expect(await inImage('cat /usr/local/libexec/banger-network-bootstrap')).toBe(
    'asset rootfs/usr/local/libexec/banger-network-bootstrap\n',
  );
  expect(await inImage('stat /usr/local/libexec/banger-network-bootstrap')).toMatch(/Mode: {2}0755/);
  for (const dir of ['/', '/usr/local', '/usr/local/libexec', '/etc']) {
    expect(await inImage(`stat ${dir}`)).toMatch(/Type: directory +Mode: {2}0755[\s\S]*User: +0 +Group: +0/);
  }
  expect(await inImage('stat /etc/systemd/system/multi-user.target.wants/banger-network.service')).toContain(
    'Fast link dest: "/etc/systemd/system/banger-network.service"',
  );
  expect(await inImage('cat /usr/local/libexec/banger-agent')).toBe('asset built/banger-agent\n');
  expect(await inImage('stat /usr/local/libexec/banger-agent')).toMatch(/Mode: {2}0755/);
  expect(await inImage('stat /etc/systemd/system/sysinit.target.wants/banger-agent.service')).toContain(
    'Fast link dest: "/etc/systemd/system/banger-agent.service"',
  );
  expect(await inImage('stat /etc/systemd/system/apt-daily.timer')).toContain('Fast link dest: "/dev/null"');
  expect(await inImage('stat /etc/resolv.conf')).toMatch(/Type: regular/);
  expect(await inImage('stat /etc/machine-id')).toMatch(/Size: 0$/m);
  expect(await inImage('stat /etc/ssh/sshd_config')).toMatch(/Mode: {2}0640[\s\S]*User: +0 +Group: +42/);
  expect(await inImage('stat /lib')).toContain('Fast link dest: "usr/lib"');
  const ssh = await inImage('ls /etc/ssh');
  expect(ssh).toContain('sshd_config');
  expect(ssh).not.toContain('ssh_host_');
  expect(await inImage('ls /dev')).not.toContain('null');
});

test('a link on the way of a file is not followed to the host', async () => {
  const victim = join(root, 'victim');
  await mkdir(victim);
  const body = SMALL_SYSTEM.replace(
    'tar -C',
    `rm -r $T/etc/systemd/network; ln -s ${victim} $T/etc/systemd/network\ntar -C`,
  );
  await expect(bootstrap(body)).rejects.toMatchObject({
    code: 'BOOTSTRAP_FAILED',
    message: expect.stringContaining('/etc/systemd/network/10-banger.network'),
  });
  expect(await readdir(victim)).toEqual([]);
});

test.each([
  [
    'fails',
    'echo "E: Unable to locate package nosuch" >&2; exit 25',
    'BOOTSTRAP_FAILED',
    'Unable to locate package nosuch',
  ],
  ['brings no kernel', SMALL_SYSTEM.replaceAll(/echo \S*kernel >\S+/g, ':'), 'BOOTSTRAP_FAILED', 'no kernel'],
  ['leaves no tar', ':', 'BOOTSTRAP_FAILED', 'tar'],
  ['fills the disk', 'echo "cp: No space left on device" >&2; exit 1', 'DISK_FULL', 'full'],
])('where mmdebstrap %s, it says so and leaves nothing', async (_, body, code, words) => {
  await expect(bootstrap(body)).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
  expect(await readdir(staged.dir)).toEqual([]);
});

test('content that does not fit is told with the size that would do', async () => {
  const large = SMALL_SYSTEM.replace('tar -C', 'head -c 100M /dev/urandom >$T/usr/lib/large\ntar -C');
  const error: unknown = await bootstrap(large).catch((failure: unknown) => failure);
  if (!(error instanceof AppError)) throw new Error('did not fail as it should', { cause: error });
  expect(error).toMatchObject({
    code: 'SIZE_INVALID',
    message: expect.stringMatching(/do not fit into 64M; .* about \d+M/),
  });
  await rm(staged.rootfsPath);
  await rm(staged.kernelPath);
  await rm(staged.initrdPath);
  await bootstrap(large, { request: { sizeBytes: Number(error.details['neededBytes']) } });
});

test('an abort ends everything that was started, and leaves nothing', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only root runs mmdebstrap in namespaces of ours');
  const controller = new AbortController();
  const note = join(root, 'pid');
  // One process ignores SIGTERM, one leaves the group; both tell their pids as the host sees them.
  const body = `
    trap '' TERM
    mkdir $TMPDIR/mounted; mount -t tmpfs none $TMPDIR/mounted && touch $TMPDIR/mounted/x
    setsid sleep 300 &
    echo ready >${note}
    sleep 300`;
  const running = bootstrap(body, { signal: controller.signal });
  running.catch(() => undefined);
  await expect.poll(() => readFile(note, 'utf8').catch(() => ''), { interval: 20, timeout: 10_000 }).toContain('ready');
  const sleepers = await pidsOf('sleep 300');
  expect(sleepers.length).toBeGreaterThan(0);
  controller.abort(new AppError('OPERATION_CANCELLED', 'cancelled by the test'));
  await expect(running).rejects.toMatchObject({ code: 'OPERATION_CANCELLED' });
  for (const pid of sleepers) await expect.poll(() => identifyProcess(pid), { interval: 20 }).toBeUndefined();
  expect(await readdir(staged.dir)).toEqual([]);
  expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(root);
  await lstat(staged.dir);
});

test('a daemon that is killed takes everything it started with it: nobody writes into the folder any more', async (context) => {
  if (process.getuid?.() !== 0) return context.skip('only root runs mmdebstrap in namespaces of ours');
  const note = join(root, 'pid');
  const program = await fakeMmdebstrap(`
    trap '' TERM HUP PIPE
    write() { while :; do mkdir -p $TMPDIR/$1; echo $1 >$TMPDIR/$1/$RANDOM; done; }
    write one &
    export -f write; setsid bash -c "trap '' TERM HUP PIPE; write two" &
    echo ready >${note}
    wait`);
  onTestFinished(async () => {
    for (const { pid } of await ourProcesses()) process.kill(pid, 'SIGKILL');
  });
  const driver = await supervise([process.execPath, DRIVER, staged.dir, program], {
    logPath: join(root, 'driver.log'),
  });
  await expect.poll(() => readFile(note, 'utf8').catch(() => ''), { interval: 20, timeout: 10_000 }).toContain('ready');
  expect((await ourProcesses()).length).toBeGreaterThan(4);
  process.kill(driver.pid, 'SIGKILL');
  await expect.poll(ourProcesses, { interval: 20, timeout: 10_000 }).toEqual([]);
  // As the next start of the daemon does.
  await rm(staged.dir, { recursive: true });
  await expect(lstat(staged.dir)).rejects.toMatchObject({ code: 'ENOENT' });
});

interface FoundProcess {
  readonly pid: number;
  readonly commandLine: string;
}

/** All that was started with our folder in its arguments or its environment, the test itself aside. */
async function ourProcesses(): Promise<FoundProcess[]> {
  const found: FoundProcess[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const [line = '', environment = ''] = await Promise.all(
      ['cmdline', 'environ'].map((file) => readFile(`/proc/${name}/${file}`, 'utf8').catch(() => '')),
    );
    const commandLine = line.replaceAll('\0', ' ').trim();
    if (line.includes(root) || environment.includes(root)) found.push({ pid: Number(name), commandLine });
  }
  return found;
}

async function pidsOf(commandLine: string): Promise<number[]> {
  return (await ourProcesses()).filter((found) => found.commandLine === commandLine).map(({ pid }) => pid);
}
