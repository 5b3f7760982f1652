import { describe, expect, test } from 'vitest';
import type { ResolverFacts } from '../../../../src/core/resolver/ports.ts';
import { commandsFor, planWiring, type WiringPlan } from '../../../../src/core/resolver/wiring-plan.ts';

const SERVER = { address: '127.77.171.204', port: 5377 };

function plan(facts: Partial<ResolverFacts>): WiringPlan {
  const nothing: ResolverFacts = {
    nameServers: ['192.0.2.53'],
    asksResolvedByNss: false,
    resolvedRuns: false,
    resolvedServers: [],
    networkManagerRunsDnsmasq: false,
    dnsmasqRuns: false,
    hasSystemd: true,
  };
  return planWiring({ ...nothing, ...facts }, SERVER, '/srv/b');
}

function wiring(facts: Partial<ResolverFacts>) {
  const made = plan(facts);
  if (!made.can) throw new Error(made.why);
  return made.wiring;
}

const DNSMASQ_CONTENT = `# Made by banger (/srv/b); "banger dns disable" takes it away.
server=/vm/127.77.171.204#5377
rebind-domain-ok=/vm/
`;

describe('the host’s resolver is told by a file of our own', () => {
  test.each([
    ['as the stub in resolv.conf', { nameServers: ['127.0.0.53'] }],
    ['through nsswitch.conf', { asksResolvedByNss: true }],
  ])('systemd-resolved, asked %s', (_what, facts) => {
    expect(wiring({ resolvedRuns: true, ...facts })).toEqual({
      version: 1,
      resolver: 'systemd-resolved',
      path: '/etc/systemd/resolved.conf.d/banger.conf',
      content: `# Made by banger (/srv/b); "banger dns disable" takes it away.
[Resolve]
DNS=127.77.171.204:5377
Domains=~vm
`,
      reload: ['systemctl', 'try-reload-or-restart', 'systemd-resolved.service'],
    });
  });

  test('NetworkManager’s dnsmasq', () => {
    const facts = { nameServers: ['127.0.0.1'], networkManagerRunsDnsmasq: true, dnsmasqRuns: true };
    expect(wiring(facts)).toMatchObject({
      resolver: 'networkmanager-dnsmasq',
      path: '/etc/NetworkManager/dnsmasq.d/banger.conf',
      content: DNSMASQ_CONTENT,
      reload: ['nmcli', 'general', 'reload', 'dns-full'],
    });
  });

  test.each([
    [true, ['systemctl', 'restart', 'dnsmasq.service']],
    [false, ['service', 'dnsmasq', 'restart']],
  ])('dnsmasq, with systemd: %s', (hasSystemd, reload) => {
    expect(wiring({ nameServers: ['::1'], dnsmasqRuns: true, hasSystemd })).toMatchObject({
      resolver: 'dnsmasq',
      path: '/etc/dnsmasq.d/banger.conf',
      content: DNSMASQ_CONTENT,
      reload,
    });
  });
});

describe('the user is told what to do by hand', () => {
  test.each<[string, Partial<ResolverFacts>]>([
    ['nothing on this host resolves', {}],
    ['systemd-resolved runs, and nobody asks it', { resolvedRuns: true }],
    ['dnsmasq runs, and the host does not ask it', { dnsmasqRuns: true }],
    ['something else resolves here', { nameServers: ['127.0.0.1'] }],
  ])('where %s', (_what, facts) => {
    expect(plan(facts)).toEqual({
      can: false,
      why: 'neither systemd-resolved nor dnsmasq resolves for this host',
      advice: 'A resolver of yours that can forward a zone has to forward "vm" to 127.77.171.204 port 5377.',
    });
  });

  test('where systemd-resolved has servers for every name: ours would be one of them', () => {
    const made = plan({ resolvedRuns: true, nameServers: ['127.0.0.53'], resolvedServers: ['9.9.9.9'] });
    expect(made).toMatchObject({ can: false, why: expect.stringContaining('9.9.9.9') });
  });
});

test('what root has to do can be pasted', () => {
  expect(commandsFor(wiring({ nameServers: ['127.0.0.1'], dnsmasqRuns: true }))).toBe(
    `sudo install -D -m 644 /dev/stdin /etc/dnsmasq.d/banger.conf <<'EOF'\n${DNSMASQ_CONTENT}EOF\nsudo systemctl restart dnsmasq.service`,
  );
});
