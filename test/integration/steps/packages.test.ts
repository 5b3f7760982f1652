import { beforeEach, describe, expect, test } from 'vitest';
import { needSandbox, planEverything, runSandbox } from './sandbox.ts';

beforeEach(needSandbox);

/** apt and systemctl that only write down how they were called: the real ones are tried in virtual machines. */
const STUBS = `
  rm -f /usr/sbin/policy-rc.d
  stub apt-get 'case "$*" in *"\${APT_FAILS:-no such command}"*) echo "E: Unable to locate package" >&2; exit 100;; esac
    test ! -x /usr/sbin/policy-rc.d || echo held >>/run/work/held'
  stub systemctl; stub git`;

/** The calls of apt-get without the options that all of them have. */
function aptCalls(calls: string): string[] {
  return calls
    .split('\n')
    .filter((line) => line.startsWith('apt-get '))
    .map((line) => line.replaceAll(/ -o \S+| -[qy]/g, ''));
}

test('lists, a rehearsal, upgrade, install, and no archives left; services are held meanwhile', async () => {
  const result = await runSandbox(
    `${STUBS}
    step packages; ! test -e /usr/sbin/policy-rc.d || echo left >/run/work/policy`,
    { steps: planEverything({ preset: 'minimal', packages: ['jq', 'g++', 'git=1:2.39'] }) },
  );
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  const calls = await result.read('calls');
  expect(aptCalls(calls)).toEqual([
    'apt-get update',
    'apt-get --simulate install jq g++ git=1:2.39',
    'apt-get upgrade',
    'apt-get install jq g++ git=1:2.39',
    'apt-get clean',
  ]);
  expect(calls).toContain('git config --system init.defaultBranch main\n');
  expect(calls).toMatch(/^apt-get .*-o Dpkg::Options::=--force-confold .* update$/m);
  expect(await result.read('held')).toContain('held');
  expect(await result.read('policy')).toBe('');
});

test('a package that does not exist: apt’s own words, before anything is upgraded, and no policy left', async () => {
  const result = await runSandbox(
    `${STUBS}
    sed -i 's/no such command/--simulate/' /usr/local/sbin/apt-get
    trap 'ls /usr/sbin/policy-rc.d >/run/work/policy 2>/dev/null' EXIT
    step packages`,
    { steps: planEverything({ packages: ['no-such-package'] }) },
  );
  expect(result.exitStatus).not.toBe(0);
  expect(await result.read('packages.log')).toContain('E: Unable to locate package');
  expect(aptCalls(await result.read('calls')).map((call) => call.split(' ').slice(0, 3).join(' '))).toEqual([
    'apt-get update',
    'apt-get --simulate install',
  ]);
  expect(await result.read('policy')).toBe('');
});

test('a policy of the user’s own stays', async () => {
  const result = await runSandbox(`${STUBS}
    printf '#!/bin/sh\\n# mine\\nexit 0\\n' >/usr/sbin/policy-rc.d; chmod 0755 /usr/sbin/policy-rc.d
    step packages; cp /usr/sbin/policy-rc.d /run/work/policy`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('policy')).toContain('# mine');
});

test('the proxy is used and never written down', async () => {
  const proxy = 'http://proxy.example:3142';
  const result = await runSandbox(
    `${STUBS}
    step packages; step docker; grep -rl proxy.example /etc /root /usr/local >/run/work/leaks || true`,
    { steps: planEverything({}, { apt: { proxy } }) },
  );
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  const calls = (await result.read('calls')).split('\n').filter((line) => line.startsWith('apt-get '));
  expect(calls.length).toBeGreaterThan(4);
  for (const call of calls) expect(call).toContain(`-o Acquire::http::Proxy=${proxy}`);
  expect(await result.read('leaks')).toBe('');
});

describe('the mirror takes the place of the archive, and of nothing else', () => {
  const MIRROR = 'http://10.0.0.1:3142/m/debian';
  test.each([
    {
      name: 'one line a source',
      file: 'sources.list',
      before: `deb http://archive.example/debian bookworm main
deb-src [signed-by=/a.gpg] https://archive.example/debian/ bookworm main contrib
deb http://security.example/debian-security bookworm-security main
# deb http://archive.example/debian sid main
deb https://docker.example/linux/debian-extra bookworm stable
`,
      after: `deb ${MIRROR} bookworm main
deb-src [signed-by=/a.gpg] ${MIRROR} bookworm main contrib
deb http://security.example/debian-security bookworm-security main
# deb http://archive.example/debian sid main
deb https://docker.example/linux/debian-extra bookworm stable
`,
    },
    {
      name: 'paragraphs',
      file: 'sources.list.d/debian.sources',
      before:
        'Types: deb\nURIs: http://a.example/debian http://b.example/debian/\nSuites: bookworm\nSigned-By: /a.gpg\n',
      after: `Types: deb\nURIs: ${MIRROR} ${MIRROR}\nSuites: bookworm\nSigned-By: /a.gpg\n`,
    },
  ])('$name', async ({ file, before, after }) => {
    const result = await runSandbox(
      `${STUBS}
      rm -rf /etc/apt/sources.list /etc/apt/sources.list.d; mkdir -p /etc/apt/sources.list.d
      printf 'ID=debian\\n' >/etc/os-release
      cp /run/work/before /etc/apt/${file}
      step packages; cp /etc/apt/${file} /run/work/once; step packages; cp /etc/apt/${file} /run/work/twice`,
      { steps: planEverything({}, { apt: { mirror: MIRROR } }), files: { before } },
    );
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('once')).toBe(after);
    expect(await result.read('twice')).toBe(after);
    expect(await result.read('packages.log')).not.toContain('no source of the archive');
  });

  test('security updates have a mirror of their own, which no later build takes for the archive', async () => {
    const apt = { mirror: MIRROR, security_mirror: 'http://10.0.0.1:3142/security/debian' };
    const before = `deb http://archive.example/debian bookworm main
deb http://archive.example/debian bookworm-updates main
deb http://security.example/debian-security/ bookworm-security main
`;
    const after = `deb ${MIRROR} bookworm main
deb ${MIRROR} bookworm-updates main
deb ${apt.security_mirror} bookworm-security main
`;
    const result = await runSandbox(
      `${STUBS}
      rm -rf /etc/apt/sources.list.d; printf 'ID=debian\\n' >/etc/os-release; cp /run/work/before /etc/apt/sources.list
      step packages; cp /etc/apt/sources.list /run/work/once; step packages; cp /etc/apt/sources.list /run/work/twice`,
      { steps: planEverything({}, { apt }), files: { before } },
    );
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('once')).toBe(after);
    expect(await result.read('twice')).toBe(after);
    expect(await result.read('packages.log')).not.toContain('no source of the archive');
  });

  test('where there is nothing to replace the log says so', async () => {
    const result = await runSandbox(
      `${STUBS}
      rm -rf /etc/apt/sources.list /etc/apt/sources.list.d; step packages`,
      { steps: planEverything({}, { apt: { mirror: MIRROR } }) },
    );
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('packages.log')).toContain('no source of the archive');
  });
});

describe('docker', () => {
  /** An apt-cache that knows these packages: `name=version` each. */
  function knows(...packages: readonly string[]): string {
    const cases = packages.map((known) => known.split('=')).map(([name, version]) => `${name}) v=${version};;`);
    return `rm -f /usr/bin/dockerd /usr/sbin/dockerd
      stub apt-cache 'case $2 in ${cases.join(' ')} *) v="(none)";; esac; printf "%s:\\n  Installed: (none)\\n  Candidate: %s\\n" "$2" "$v"'`;
  }

  test.each([
    {
      name: 'Docker’s own packages where there are any',
      apt: knows('docker-ce=5:24', 'docker.io=20'),
      installs: 'apparmor docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin',
    },
    {
      name: 'the distribution’s, compose 1 left out',
      apt: knows('docker.io=20', 'docker-compose=1.29.2-3'),
      installs: 'apparmor docker.io ca-certificates',
    },
    {
      name: 'the distribution’s, with client, buildx and compose 2',
      apt: knows('docker.io=26', 'docker-cli=26', 'docker-buildx=0.13', 'docker-compose=2.26.1-4'),
      installs: 'apparmor docker.io ca-certificates docker-cli docker-buildx docker-compose',
    },
  ])('$name', async ({ apt, installs }) => {
    const result = await runSandbox(`${STUBS}
      ${apt}
      step docker`);
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    const calls = await result.read('calls');
    expect(aptCalls(calls)).toEqual(['apt-get update', `apt-get install ${installs}`, 'apt-get clean']);
    expect(calls).toContain('systemctl enable docker.service\n');
  });

  test('lists that this build has fetched are not fetched again', async () => {
    const result = await runSandbox(`${STUBS}
      ${knows('docker.io=20')}
      mkdir -p /var/lib/apt/lists; touch /var/lib/apt/lists/archive_main_Packages.lz4; step docker`);
    expect(aptCalls(await result.read('calls'))).not.toContain('apt-get update');
  });

  test('where it is there already it is only enabled', async () => {
    const result = await runSandbox(`${STUBS}
      stub dockerd; step docker; step docker`);
    expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
    expect(await result.read('calls')).toBe('systemctl enable docker.service\n'.repeat(2));
  });
});
