/** Mode `host`: the same plan in the namespace that banger was started in, so that guests are reached by address. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Image } from '../../src/contracts/image.ts';
import type { Vm } from '../../src/contracts/vm.ts';
import { run } from '../../src/host/process.ts';
import { inside as insideArgv, makeNamespace } from '../support/netns.ts';
import { json, LAUNCHER } from './banger.ts';

test('a guest is reached by its address from the namespace, and everything goes when the daemon stops', async () => {
  const { kernelPath, initrdPath = '' } = (await json<Image>(['image', 'show', 'debian'])).boot;
  const { rootfsPath } = await json<Image>(['image', 'show', 'debian']);
  const stack = new AsyncDisposableStack();
  onTestFinished(() => stack.disposeAsync());
  const outer = await makeNamespace(stack);
  const home = await mkdtemp(join(tmpdir(), 'bgr-host-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  await mkdir(join(home, 'config'));
  await writeFile(join(home, 'config', 'config.toml'), '[network]\nmode = "host"\ndns = "192.0.2.53"\n');
  const inside = async (...args: [string, ...string[]]): Promise<string> => {
    return (await run(insideArgv(outer, args), { env: { BANGER_HOME: home, NO_COLOR: '1' }, timeoutMs: 10 * 60_000 }))
      .stdout;
  };
  const image = ['--rootfs', rootfsPath, '--kernel', kernelPath, '--initrd', initrdPath];
  await inside(LAUNCHER, 'image', 'register', 'debian', ...image);
  await inside(LAUNCHER, 'vm', 'create', '--name', 'open', '--image', 'debian');
  const vm = JSON.parse(await inside(LAUNCHER, 'vm', 'show', 'open', '--json')) as Vm;

  const sshDir = join(home, 'state', 'ssh');
  const options = [
    ...['-F', '/dev/null', '-i', join(sshDir, 'id_ed25519'), '-o', 'IdentitiesOnly=yes'],
    ...['-o', 'StrictHostKeyChecking=yes', '-o', `UserKnownHostsFile=${join(sshDir, 'known_hosts')}`],
    ...['-o', `HostKeyAlias=${vm.id}`],
  ];
  expect(await inside('ssh', ...options, `root@${vm.address}`, 'hostname')).toBe('open\n');

  await inside(LAUNCHER, 'vm', 'delete', 'open');
  await inside(LAUNCHER, 'daemon', 'stop');
  expect(await inside('ip', '-br', 'link')).not.toMatch(/banger0|bngr-/);
  expect(await inside('nft', 'list', 'tables')).toBe('');
});
