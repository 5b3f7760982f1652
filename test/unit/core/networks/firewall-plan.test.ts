import { describe, expect, it } from 'vitest';
import {
  planLearned,
  planRemoval,
  planRuleset,
  type Population,
  tableNameOf,
} from '../../../../src/core/networks/firewall-plan.ts';
import type { BridgePlan, NetworkPort } from '../../../../src/core/networks/ports.ts';

const bridge: BridgePlan = { bridgeName: 'banger0', gateway: '10.77.0.1', prefixLength: 20, cidr: '10.77.0.0/20' };
const withNat: NetworkPort = {
  tapName: 'bngr-1a2b3c4d5e',
  address: '10.77.0.2',
  macAddress: '02:62:0a:4d:00:02',
  egress: 'open',
};
const withoutNat: NetworkPort = {
  tapName: 'bngr-00ff00ff00',
  address: '10.77.0.3',
  macAddress: '02:62:0a:4d:00:03',
  egress: 'none',
};
const options = {
  tableName: 'banger_0a1b2c3d',
  nameServers: ['169.254.1.1'],
  gatePort: 5378,
  refusedAddresses: ['192.0.2.10'],
  throughPasta: false,
};

const of = (...ports: readonly NetworkPort[]): Population => ({ ports, peers: [] });

const CHAINS = `  chain input {
    type filter hook input priority filter; policy accept;
    iifname != "banger0" accept
    ct state established,related accept
    icmp type echo-request accept
    drop
  }

  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "banger0" jump from_guests
    oifname "banger0" jump to_guests
  }

  chain from_guests {
    oifname "banger0" drop
    meta nfproto != ipv4 drop
    ip saddr != @guest_addresses drop
    ct state invalid drop
    ip saddr != @nat_addresses reject with icmpx admin-prohibited
    ct status dnat reject with icmpx admin-prohibited
    ip daddr @name_servers meta l4proto { tcp, udp } th dport 53 accept
    ip daddr 169.254.0.0/16 reject with icmpx admin-prohibited
    ip daddr @refused_addresses reject with icmpx admin-prohibited
    accept
  }

  chain to_guests {
    ip daddr @nat_addresses ct state established,related accept
    drop
  }

  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname != "banger0" ip saddr @nat_addresses masquerade
  }
}
`;

describe('planRuleset', () => {
  it('gives two guests, one with NAT, exactly this', () => {
    expect(planRuleset(bridge, of(withNat, withoutNat), options)).toBe(`table inet banger_0a1b2c3d {}
delete table inet banger_0a1b2c3d
table inet banger_0a1b2c3d {
  set guest_addresses { type ipv4_addr; elements = { 10.77.0.2, 10.77.0.3 }; }

  set nat_addresses { type ipv4_addr; elements = { 10.77.0.2 }; }

  set name_servers { type ipv4_addr; elements = { 169.254.1.1 }; }

  set refused_addresses { type ipv4_addr; elements = { 192.0.2.10 }; }

  chain from_bngr_1a2b3c4d5e {
    type filter hook ingress device "bngr-1a2b3c4d5e" priority filter; policy drop;
    ether saddr 02:62:0a:4d:00:02 ip saddr 10.77.0.2 accept
  }

  chain from_bngr_00ff00ff00 {
    type filter hook ingress device "bngr-00ff00ff00" priority filter; policy drop;
    ether saddr 02:62:0a:4d:00:03 ip saddr 10.77.0.3 accept
  }

${CHAINS}`);
  });

  it('keeps everything shut where nobody is attached', () => {
    expect(planRuleset(bridge, of(), { ...options, nameServers: [], refusedAddresses: [], throughPasta: false }))
      .toBe(`table inet banger_0a1b2c3d {}
delete table inet banger_0a1b2c3d
table inet banger_0a1b2c3d {
  set guest_addresses { type ipv4_addr; }

  set nat_addresses { type ipv4_addr; }

  set name_servers { type ipv4_addr; }

  set refused_addresses { type ipv4_addr; }

${CHAINS}`);
  });

  it('names an address once, however often it is given', () => {
    const text = planRuleset(bridge, of(), { ...options, nameServers: ['192.0.2.53', '192.0.2.53'] });
    expect(text).toContain('set name_servers { type ipv4_addr; elements = { 192.0.2.53 }; }');
  });

  const hostile = '10.77.0.2; } delete table inet other #';
  it.each([
    ['an address', [{ ...withNat, address: hostile }], {}],
    ['a MAC address', [{ ...withNat, macAddress: hostile }], {}],
    ['a TAP name', [{ ...withNat, tapName: 'x" drop' }], {}],
    ['a TAP name of 16 bytes', [{ ...withNat, tapName: 'bngr-1a2b3c4d5e6' }], {}],
    ['a table name', [withNat], { tableName: 'x {} table y' }],
    ['a name server', [withNat], { nameServers: ['fd00::1'] }],
    ['a refused address', [withNat], { refusedAddresses: ['0.0.0.0/0'] }],
  ])('refuses %s that would be read as something else', (_what, ports, changed) => {
    expect(() => planRuleset(bridge, of(...ports), { ...options, ...changed })).toThrow(
      expect.objectContaining({ code: 'INTERNAL' }),
    );
  });

  it('refuses a bridge name that would be read as something else', () => {
    expect(() => planRuleset({ ...bridge, bridgeName: 'b" drop' }, of(), options)).toThrow(
      expect.objectContaining({ code: 'INTERNAL' }),
    );
  });
});

describe('planRemoval', () => {
  it('works where there is no table', () => {
    expect(planRemoval('banger_0a1b2c3d')).toBe('table inet banger_0a1b2c3d {}\ndelete table inet banger_0a1b2c3d\n');
  });
});

describe('tableNameOf', () => {
  it('has no hyphen', () => expect(tableNameOf('banger-0a1b2c3d')).toBe('banger_0a1b2c3d'));
});

it('behind pasta what connection tracking calls invalid never reaches the namespace itself, whose reset would end a guest’s connection', () => {
  const text = planRuleset(bridge, of(), { ...options, throughPasta: true });
  const input = text.slice(text.indexOf('chain input'));
  expect(input.indexOf('ct state invalid drop')).toBeGreaterThan(0);
  expect(input.indexOf('ct state invalid drop')).toBeLessThan(
    input.indexOf('accept', input.indexOf('policy accept') + 14),
  );
  expect(planRuleset(bridge, of(), options).split('ct state invalid drop')).toHaveLength(2);
});
