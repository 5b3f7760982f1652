import { beforeEach, describe, expect, test } from 'vitest';
import { networkArguments } from '../../../src/core/vms/network-arguments.ts';
import { needSandbox, runSandbox } from './sandbox.ts';

beforeEach(needSandbox);

const BOOTSTRAP = '/usr/local/libexec/banger-network-bootstrap';

/** A card, a command line as the kernel would show it, and the script where the step puts it. */
function guest(commandLine: string): string {
  return `
  printf '%s\\n' '${commandLine}' >/run/cmdline; mount --bind /run/cmdline /proc/cmdline
  ip link add eth0 type veth peer name other; ip link set other up
  printf old >/proc/sys/kernel/hostname
  rm -f /etc/resolv.conf; ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
  step network
  state() {
    ip -4 -brief address show dev eth0; ip route show default; cat /proc/sys/kernel/hostname
    stat -c '%F %a' /etc/resolv.conf 2>/dev/null || true; cat /etc/resolv.conf 2>/dev/null || true
  }`;
}

const FULL = 'root=/dev/vda rw ip=10.77.0.9::10.77.0.1:255.255.240.0:calm-otter:eth0:off:169.254.1.1:1.1.1.1 quiet';
const CONFIGURED = `eth0@other       UP             10.77.0.9/20 
default via 10.77.0.1 dev eth0 
calm-otter
regular file 644
nameserver 169.254.1.1
nameserver 1.1.1.1
`;

test('the step: script, unit and the links of `systemctl enable`; the second run changes nothing', async () => {
  const result = await runSandbox(`
    step network; snapshot one; step network; snapshot two
    stat -c '%a' ${BOOTSTRAP} /etc/systemd/system/banger-network.service >/run/work/modes
    readlink /etc/systemd/system/multi-user.target.wants/banger-network.service >>/run/work/modes`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('two')).toBe(await result.read('one'));
  expect(await result.read('modes')).toBe('755\n644\n/etc/systemd/system/banger-network.service\n');
});

describe('the card gets what the command line says', () => {
  test('and once more changes nothing', async () => {
    const result = await runSandbox(`${guest(FULL)}
      ${BOOTSTRAP} >/run/work/says; state >/run/work/once; ls -i /etc/resolv.conf >/run/work/inode
      ${BOOTSTRAP}; state >/run/work/twice; ls -i /etc/resolv.conf | cmp - /run/work/inode`);
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('once')).toBe(CONFIGURED);
    expect(await result.read('twice')).toBe(CONFIGURED);
    expect(await result.read('says')).toBe('banger-network: eth0 has 10.77.0.9/20 by way of 10.77.0.1\n');
  });

  test('where the kernel was there before', async () => {
    const result = await runSandbox(`${guest(FULL)}
      ip link set eth0 up; ip address add 10.77.0.9/20 dev eth0; ip route add default via 10.77.0.1
      ${BOOTSTRAP}; state >/run/work/after`);
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('after')).toBe(CONFIGURED);
  });

  test('in a guest without the program ip, whose kernel did it', async () => {
    const result = await runSandbox(`${guest(FULL)}
      ip link set eth0 up; ip address add 10.77.0.9/20 dev eth0; ip route add default via 10.77.0.1
      cp -a "$(readlink -f "$(command -v ip)")" /run/ip; for path in /bin/ip /sbin/ip /usr/bin/ip /usr/sbin/ip; do rm -f $path; done; hash -r
      ${BOOTSTRAP}; cp /run/ip /usr/sbin/ip; hash -r; state >/run/work/after`);
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('after')).toBe(CONFIGURED);
  });

  test('in a guest without the program ip, whose kernel did not: it says what is missing', async () => {
    const result = await runSandbox(`${guest(FULL)}
      for path in /bin/ip /sbin/ip /usr/bin/ip /usr/sbin/ip; do rm -f $path; done; hash -r
      ${BOOTSTRAP}`);
    expect(result.exitStatus).toBe(1);
    expect(result.stderr).toContain('the program ip (package iproute2) is missing');
  });

  test('the arguments that banger gives its machines', async () => {
    const [argument = ''] = networkArguments(
      { address: '10.77.0.9', hostname: 'calm-otter', nameServers: ['169.254.1.1', '1.1.1.1'] },
      { gateway: '10.77.0.1', prefixLength: 20 } as never,
    );
    const result = await runSandbox(`${guest(argument)}
      ${BOOTSTRAP}; state >/run/work/after`);
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('after')).toBe(CONFIGURED);
  });

  test('the last of several, and only what it names', async () => {
    const result =
      await runSandbox(`${guest('ip=10.0.0.1::10.0.0.2:255.0.0.0:no:eth0:off ip=10.77.0.9:::255.255.255.128::eth0:off')}
      ${BOOTSTRAP}; state >/run/work/after`);
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('after')).toBe('eth0@other       UP             10.77.0.9/25 \nold\nsymbolic link 777\n');
  });

  test('a card that appears late is waited for', async () => {
    const result = await runSandbox(`${guest(FULL)}
      ip link set eth0 name late
      ${BOOTSTRAP} & waiting=$!
      until grep -q sleep /proc/[0-9]*/comm 2>/dev/null; do :; done
      ip link set late name eth0; wait $waiting; state >/run/work/after`);
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('after')).toBe(CONFIGURED);
  });
});

describe('what is no address', () => {
  test.each(['quiet', 'ip=dhcp', 'ip=off', 'ip=:::::eth0:dhcp', ''])('%j: nothing to do', async (commandLine) => {
    const result = await runSandbox(`${guest(commandLine)}
      ${BOOTSTRAP} >/run/work/says; state >/run/work/after`);
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('says')).toContain('nothing to do');
    expect(await result.read('after')).toBe('old\nsymbolic link 777\n');
  });

  test.each([
    { setting: 'ip=10.0.0.x::10.0.0.1:255.0.0.0:n:eth0:off', says: 'not an IPv4 address' },
    { setting: 'ip=10.0.0.2::10.0.0.1:255.0.255.0:n:eth0:off', says: 'no usable netmask' },
    { setting: 'ip=10.0.0.2::10.0.0.1:255.255.255.7:n:eth0:off', says: 'no usable netmask' },
  ])('$setting: $says', async ({ setting, says }) => {
    const result = await runSandbox(`${guest(setting)}
      ${BOOTSTRAP}`);
    expect(result.exitStatus).toBe(1);
    expect(result.stderr).toContain(says);
  });
});
