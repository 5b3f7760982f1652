import { beforeEach, expect, test } from 'vitest';
import { needSandbox, runSandbox } from './sandbox.ts';

beforeEach(needSandbox);

const TRACES = `
  stub apt-get
  touch /root/get-docker.sh /etc/ssh/ssh_host_rsa_key /etc/ssh/ssh_host_ed25519_key.pub
  mkdir -p /var/lib/apt/lists/partial; touch /var/lib/apt/lists/archive_Packages
  mkdir -p /var/log/journal/abc /var/log/apt; echo x >/var/log/journal/abc/system.journal
  echo x >/var/log/apt/term.log; chmod 0640 /var/log/apt/term.log; echo x >/var/log/syslog.1; echo x >/var/log/dpkg.log.2.gz
  echo 0123456789abcdef >/etc/machine-id; mkdir -p /var/lib/dbus; rm -f /var/lib/dbus/machine-id; echo 0123 >/var/lib/dbus/machine-id
  mkdir -p /var/lib/systemd; echo x >/var/lib/systemd/random-seed
  mkdir -p /home/user; touch /root/.bash_history /home/user/.bash_history /home/user/.bashrc /root/notes
  mkdir -p /tmp/a/b /tmp/systemd-private-1/tmp /var/tmp/c; touch /tmp/a/b/file /tmp/.hidden`;

test('what belongs to the build goes, what belongs to the image stays; the second run changes nothing', async () => {
  const result = await runSandbox(`${TRACES}
    step cleanup; snapshot one; step cleanup; snapshot two
    stat -c '%n %s %a' /etc/machine-id /var/log/apt/term.log >/run/work/emptied
    find /root /home /tmp /var/tmp /var/lib/apt/lists /var/log -mindepth 1 | sort >/run/work/left
    ls /etc/ssh >/run/work/ssh; ls -A /var/lib/dbus >/run/work/dbus
    ls /var/lib/systemd/random-seed 2>/dev/null >/run/work/seed || true`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('two')).toBe(await result.read('one'));
  expect(await result.read('emptied')).toBe('/etc/machine-id 0 444\n/var/log/apt/term.log 0 640\n');
  expect((await result.read('left')).trim().split('\n')).toEqual([
    '/home/user',
    '/home/user/.bashrc',
    '/root/notes',
    '/tmp/systemd-private-1',
    '/tmp/systemd-private-1/tmp',
    '/var/log/apt',
    '/var/log/apt/term.log',
    '/var/log/journal',
  ]);
  expect(await result.read('ssh')).not.toContain('ssh_host_');
  expect(await result.read('ssh')).toContain('sshd_config');
  expect(await result.read('dbus')).toBe('');
  expect(await result.read('seed')).toBe('');
});

test('on a system that has none of it, it has nothing to do', async () => {
  const result = await runSandbox('umount /var/lib/apt; rm -rf /var/lib/apt /var/log/* /home/*; step cleanup');
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
});
