import { beforeEach, describe, expect, test } from 'vitest';
import { KEY, needSandbox, runSandbox } from './sandbox.ts';

beforeEach(needSandbox);

/** `type blob` of the key, as it stands in any line. */
const KEY_MATERIAL = KEY.split(' ').slice(0, 2).join(' ');

test('run twice, the second run changes nothing', async () => {
  const result = await runSandbox(`
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key <<<y
    step base; snapshot one; step base; snapshot two
    sshd -T >/run/work/sshd
    cat /etc/hostname >/run/work/hostname
    stat -c '%n %a %U' /root/.ssh /root/.ssh/authorized_keys /etc/ssh/sshd_config.d/50-banger.conf >/run/work/modes`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('two')).toBe(await result.read('one'));
  expect(await result.read('one')).toContain('/root/.ssh/authorized_keys');
  expect(await result.read('hostname')).toBe('banger\n');
  expect(await result.read('modes')).toBe(
    '/root/.ssh 700 root\n/root/.ssh/authorized_keys 600 root\n/etc/ssh/sshd_config.d/50-banger.conf 644 root\n',
  );
  const sshd = (await result.read('sshd')).split('\n');
  for (const setting of [
    'permitrootlogin without-password',
    'passwordauthentication no',
    'kbdinteractiveauthentication no',
    'pubkeyauthentication yes',
    'strictmodes yes',
    'usedns no',
  ]) {
    expect(sshd).toContain(setting);
  }
  expect(sshd.filter((line) => line.startsWith('hostkey '))).toEqual(['hostkey /etc/ssh/ssh_host_ed25519_key']);
});

describe('fstab', () => {
  const OURS = [
    'tmpfs /run tmpfs defaults,nodev,nosuid,mode=0755 0 0',
    'tmpfs /tmp tmpfs defaults,nodev,nosuid,mode=1777 0 0',
  ];
  test.each([
    { name: 'an empty one', before: [], after: OURS },
    {
      name: 'stale disks go, other lines of the same disks stay',
      before: [
        '/dev/vdb /home ext4 defaults 0 2',
        '/dev/vdc\t/var ext4 defaults 0 2',
        '/dev/vdb /data ext4 defaults 0 2',
      ],
      after: ['/dev/vdb /data ext4 defaults 0 2', ...OURS],
    },
    {
      name: 'what the user mounts there stays',
      before: ['# mine', 'LABEL=t /tmp ext4 defaults 0 0', '#tmpfs /run tmpfs defaults 0 0'],
      after: ['# mine', 'LABEL=t /tmp ext4 defaults 0 0', '#tmpfs /run tmpfs defaults 0 0', OURS[0]],
    },
    { name: 'both are there', before: OURS.toReversed(), after: OURS.toReversed() },
  ])('$name', async ({ before, after }) => {
    const result = await runSandbox(
      'cat /run/work/before >/etc/fstab; step base; step base; cp /etc/fstab /run/work/after',
      {
        files: { before: before.map((line) => `${line}\n`).join('') },
      },
    );
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('after')).toBe(after.map((line) => `${line}\n`).join(''));
  });
});

describe('hosts', () => {
  test.each([
    { name: 'an empty one', before: '', after: '127.0.0.1 localhost\n127.0.1.1 banger\n' },
    {
      name: 'the user’s own lines stay where they are',
      before:
        '10.0.0.1 db # mine\n127.0.0.1\tlocalhost lo\n127.0.1.1 build-1 build-1.example\n::1 localhost\n127.0.1.1 again\n',
      after: '10.0.0.1 db # mine\n127.0.0.1\tlocalhost lo\n127.0.1.1 banger\n::1 localhost\n',
    },
  ])('$name', async ({ before, after }) => {
    const result = await runSandbox(
      'cat /run/work/before >/etc/hosts; step base; step base; cp /etc/hosts /run/work/after',
      {
        files: { before },
      },
    );
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('after')).toBe(after);
  });
});

describe('the key joins the user’s own', () => {
  test.each([
    { name: 'none yet', before: '', after: `${KEY}\n` },
    { name: 'a last line without its newline', before: 'ssh-rsa AAAA me', after: `ssh-rsa AAAA me\n${KEY}\n` },
    { name: 'there, with another comment', before: `${KEY_MATERIAL} old\n`, after: `${KEY_MATERIAL} old\n` },
    { name: 'there, behind options', before: `restrict ${KEY}\n`, after: `restrict ${KEY}\n` },
    { name: 'there, but commented out', before: `# ${KEY}\n`, after: `# ${KEY}\n${KEY}\n` },
  ])('$name', async ({ before, after }) => {
    const result = await runSandbox(
      `mkdir -m 0777 /root/.ssh; cat /run/work/before >/root/.ssh/authorized_keys
      chmod 0666 /root/.ssh/authorized_keys; chmod 0777 /root; chown 1000:1000 /root /root/.ssh/authorized_keys
      step base; step base; cp /root/.ssh/authorized_keys /run/work/after
      stat -c '%a %u:%g' /root /root/.ssh /root/.ssh/authorized_keys >/run/work/modes`,
      { files: { before } },
    );
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('after')).toBe(after);
    expect(await result.read('modes')).toBe('755 0:0\n700 0:0\n600 0:0\n');
  });
});

test('a link to a resolver of the running system becomes a file that says the same', async () => {
  const result = await runSandbox(`
    echo 'nameserver 10.0.0.53' >/run/stub.conf; ln -sfn /run/stub.conf /etc/resolv.conf
    step base; stat -c '%F' /etc/resolv.conf >/run/work/kind; cp /etc/resolv.conf /run/work/content`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('kind')).toBe('regular file\n');
  expect(await result.read('content')).toBe('nameserver 10.0.0.53\n');
});

test('an sshd that reads no drop-ins is made to, once', async () => {
  const result = await runSandbox(`
    printf 'PasswordAuthentication yes\\n' >/etc/ssh/sshd_config
    step base; step base; cp /etc/ssh/sshd_config /run/work/after`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('after')).toBe('Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\n');
});

test('settings that sshd refuses fail the step with its words', async () => {
  const result = await runSandbox(`
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key <<<y
    echo 'NoSuchSetting yes' >/etc/ssh/sshd_config.d/99-user.conf
    step base`);
  expect(result.exitStatus).not.toBe(0);
  expect(await result.read('base.log')).toContain('NoSuchSetting');
});

test('without sshd the step fails: nothing could reach a VM', async () => {
  const result = await runSandbox('rm -f /usr/sbin/sshd; step base');
  expect(result.exitStatus).toBe(1);
  expect(await result.read('base.log')).toContain('sshd is not installed');
});

test.each([
  { name: 'without udev the units that wait for it are masked', udev: 'rm -f', masked: true },
  { name: 'with udev they are not', udev: 'install -m 0755 /bin/true', masked: false },
])('$name', async ({ udev, masked }) => {
  const result = await runSandbox(`
    mkdir -p /usr/lib/systemd; ${udev} /usr/lib/systemd/systemd-udevd
    step base; readlink /etc/systemd/system/dev-ttyS0.device >/run/work/unit || true`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('unit')).toBe(masked ? '/dev/null\n' : '');
});
