/** What `dns enable` does to a host's files, on a file system of the test's own. */
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { FileResolver } from '../../../src/adapters/host-resolver/file-resolver.ts';
import { readResolverFacts } from '../../../src/adapters/host-resolver/resolver-facts.ts';
import { DnsWiring } from '../../../src/core/resolver/dns-wiring.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const INSTANCE = { cidr: '10.77.0.0/20', namespaceName: 'banger-00000000' };
const DROP_IN = '/etc/systemd/resolved.conf.d/banger.conf';
const RELOAD = 'systemctl try-reload-or-restart systemd-resolved.service';

let root: string;
let reloads: string[];
let reloadFails: boolean;
/** What banger's own server and the host's resolver answer for the probe name. */
let answers: { readonly server?: string; readonly host?: string };
/** How often the host's resolver was asked. */
let asked: number;

/** A host on which systemd-resolved resolves, and nothing answers. */
beforeEach(async () => {
  root = await makeTempDir();
  reloads = [];
  reloadFails = false;
  answers = {};
  asked = 0;
  await lay('/etc/resolv.conf', 'nameserver 127.0.0.53\n');
  await lay('/etc/systemd/resolved.conf', '[Resolve]\n#DNS=\n');
  await mkdir(join(root, 'run/systemd/resolve'), { recursive: true });
});

async function lay(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

function wiring(options: { readonly home?: string; readonly isRoot?: boolean } = {}): DnsWiring {
  const { home = 'home', isRoot = true } = options;
  class Answering extends FileResolver {
    override askServer = () => Promise.resolve(answers.server);
    override askHost = () => {
      asked += 1;
      return Promise.resolve(answers.host);
    };
  }
  const resolver = new Answering({
    recordPath: join(root, home, 'state', 'dns.json'),
    root,
    runReload: (argv) => {
      reloads.push(argv.join(' '));
      return reloadFails ? Promise.reject(new Error('it does not start again')) : Promise.resolve();
    },
  });
  return new DnsWiring({ resolver, instance: INSTANCE, homePath: `/${home}`, isRoot });
}

/** Every file of the host, with its content. */
async function host(): Promise<Record<string, string>> {
  const names = await readdir(root, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const folders = names
    .filter((entry) => entry.isDirectory())
    .map((entry) => [join(entry.parentPath, entry.name), '/']);
  const contents = await Promise.all(files.map(async (file) => [file, await readFile(file, 'utf8')] as const));
  return Object.fromEntries([...contents, ...folders].map(([path = '', text = '']) => [path.slice(root.length), text]));
}

describe('enable', () => {
  test('makes one file that everybody may read, has it read, and remembers', async () => {
    // As the daemon's program has it.
    const umask = process.umask(0o077);
    onTestFinished(() => void process.umask(umask));
    const status = await wiring().enable();
    expect(status).toMatchObject({ server: { address: '127.77.0.1', port: 5377 }, wiring: { path: DROP_IN } });
    expect((await host())[DROP_IN]).toContain('DNS=127.77.0.1:5377\nDomains=~vm\n');
    expect((await stat(join(root, DROP_IN))).mode & 0o777).toBe(0o644);
    expect((await stat(dirname(join(root, DROP_IN)))).mode & 0o777).toBe(0o755);
    expect(reloads).toEqual([RELOAD]);
  });

  test('twice is the same as once', async () => {
    await wiring().enable();
    const once = await host();
    await wiring().enable();
    expect(await host()).toEqual(once);
  });

  test('completes what a crash has left half done', async () => {
    const before = await host();
    await wiring().enable();
    const done = await host();
    // Written down and not made yet.
    await wiring().disable();
    await lay('/home/state/dns.json', done['/home/state/dns.json'] ?? '');
    await wiring().enable();
    expect(await host()).toEqual(done);
    await wiring().disable();
    expect(await host()).toEqual({ ...before, '/home': '/', '/home/state': '/' });
  });

  test('moves with the host to another resolver', async () => {
    await wiring().enable();
    await rm(join(root, 'run/systemd'), { recursive: true });
    await lay('/run/dnsmasq/dnsmasq.pid', '7\n');
    expect((await wiring().enable()).wiring).toMatchObject({ resolver: 'dnsmasq', path: '/etc/dnsmasq.d/banger.conf' });
    expect(Object.keys(await host())).not.toContain(DROP_IN);
    expect(reloads).toEqual([RELOAD, RELOAD, 'service dnsmasq restart']);
  });

  test('leaves the host as it was where the resolver does not take it', async () => {
    const before = await host();
    reloadFails = true;
    await expect(wiring().enable()).rejects.toMatchObject({
      code: 'RESOLVER_FAILED',
      message: expect.stringContaining('it does not start again'),
    });
    expect(await host()).toEqual({ ...before, '/home': '/', '/home/state': '/' });
  });

  test('overwrites nobody’s file', async () => {
    await lay(DROP_IN, '[Resolve]\nCache=no\n');
    await expect(wiring().enable()).rejects.toMatchObject({ code: 'RESOLVER_CONFLICT' });
    expect((await host())[DROP_IN]).toBe('[Resolve]\nCache=no\n');
    expect(reloads).toEqual([]);
  });

  test('names the other banger that has the host’s names', async () => {
    await wiring({ home: 'first' }).enable();
    await expect(wiring({ home: 'second' }).enable()).rejects.toMatchObject({
      code: 'RESOLVER_CONFLICT',
      message: expect.stringContaining('(/first)'),
    });
  });

  test('says what root has to do, and does nothing', async () => {
    const before = await host();
    await expect(wiring({ isRoot: false }).enable()).rejects.toMatchObject({
      code: 'RESOLVER_FAILED',
      hint: expect.stringMatching(
        /sudo install .*resolved\.conf\.d\/banger\.conf[^]*DNS=127\.77\.0\.1:5377[^]*sudo systemctl/,
      ),
    });
    expect(await host()).toEqual(before);
  });
});

describe('disable', () => {
  test('takes back exactly what enable did, and nothing else', async () => {
    await lay('/etc/systemd/resolved.conf.d/mine.conf', '[Resolve]\nCache=no\n');
    const before = await host();
    await wiring().enable();
    await wiring().disable();
    expect(await host()).toEqual({ ...before, '/home': '/', '/home/state': '/' });
    expect(reloads).toEqual([RELOAD, RELOAD]);
  });

  test('does nothing where nothing was done', async () => {
    const before = await host();
    expect(await wiring().disable()).not.toHaveProperty('wiring');
    expect(await host()).toEqual(before);
    expect(reloads).toEqual([]);
  });

  test('leaves a file that was changed since, and goes on once it is gone', async () => {
    await wiring().enable();
    await lay(DROP_IN, 'mine now\n');
    await expect(wiring().disable()).rejects.toMatchObject({ code: 'RESOLVER_CONFLICT' });
    expect((await host())[DROP_IN]).toBe('mine now\n');
    await rm(join(root, DROP_IN));
    expect(await wiring().disable()).not.toHaveProperty('wiring');
  });

  test('keeps its folder where somebody has laid something beside our file', async () => {
    await wiring().enable();
    await lay('/etc/systemd/resolved.conf.d/mine.conf', '');
    await wiring().disable();
    expect(await readdir(join(root, 'etc/systemd/resolved.conf.d'))).toEqual(['mine.conf']);
  });

  test('refuses a record that it cannot read', async () => {
    await lay('/home/state/dns.json', '{"version":2}');
    await expect(wiring().disable()).rejects.toMatchObject({ code: 'RESOLVER_FAILED' });
  });
});

describe('status', () => {
  test.each([
    [{}, false, false],
    [{ server: '127.77.0.1' }, true, false],
    [{ server: '127.77.0.1', host: '127.77.0.1' }, true, true],
    // Another instance's, or a server in the world that answers for everything.
    [{ server: '127.77.0.1', host: '127.77.9.9' }, true, false],
    [{ server: '127.77.9.9', host: '127.77.9.9' }, false, false],
  ])('%j', async (given, answered, resolves) => {
    answers = given;
    expect(await wiring().status()).toEqual({
      zone: 'vm',
      server: { address: '127.77.0.1', port: 5377 },
      answers: answered,
      resolves,
    });
    // Where banger itself does not answer, no question goes out into the world.
    expect(asked).toBe(answered ? 1 : 0);
  });
});

describe('how a host resolves', () => {
  const facts = () => readResolverFacts(root);

  test('is read from its files', async () => {
    await lay('/etc/nsswitch.conf', 'passwd: files\nhosts: files resolve [!UNAVAIL=return] dns\n');
    expect(await facts()).toEqual({
      nameServers: ['127.0.0.53'],
      asksResolvedByNss: true,
      resolvedRuns: true,
      resolvedServers: [],
      networkManagerRunsDnsmasq: false,
      dnsmasqRuns: false,
      hasSystemd: false,
    });
  });

  test('systemd-resolved’s own servers are found in all its files, but not in ours', async () => {
    await lay('/usr/lib/systemd/resolved.conf.d/vendor.conf', '[Resolve]\nDNS=192.0.2.1\n');
    await lay('/etc/systemd/resolved.conf', '[Resolve]\nDNS = 192.0.2.2 192.0.2.3#name\nFallbackDNS=192.0.2.9\n');
    await lay('/etc/systemd/resolved.conf.d/banger.conf', '[Resolve]\nDNS=127.77.0.1:5377\n');
    expect((await facts()).resolvedServers).toEqual(['192.0.2.2', '192.0.2.3#name', '192.0.2.1']);
    await lay('/etc/systemd/resolved.conf.d/zz.conf', '[Resolve]\nDNS=\n');
    expect((await facts()).resolvedServers).toEqual([]);
  });

  test('NetworkManager’s dnsmasq counts while NetworkManager runs', async () => {
    await lay('/etc/NetworkManager/NetworkManager.conf', '[main]\ndns=default\n');
    await lay('/etc/NetworkManager/conf.d/dns.conf', '[main]\ndns=dnsmasq\n');
    expect((await facts()).networkManagerRunsDnsmasq).toBe(false);
    await mkdir(join(root, 'run/NetworkManager'));
    expect((await facts()).networkManagerRunsDnsmasq).toBe(true);
  });

  test('a file that is missing, or leads nowhere, says nothing', async () => {
    await rm(join(root, 'etc/resolv.conf'));
    await symlink('/nonexistent', join(root, 'etc/resolv.conf'));
    await chmod(join(root, 'etc/systemd/resolved.conf'), 0o000);
    expect((await facts()).nameServers).toEqual([]);
  });
});
