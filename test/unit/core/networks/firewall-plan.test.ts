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

const CHAINS = `  map allowed_by { type ipv4_addr : verdict; }

  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "banger0" ip saddr @gated_addresses ip daddr @name_servers meta l4proto { tcp, udp } th dport 53 redirect to :5378
  }

  chain input {
    type filter hook input priority filter; policy accept;
    iifname != "banger0" accept
    ct state established,related accept
    icmp type echo-request accept
    ip saddr @gated_addresses ct status dnat meta l4proto { tcp, udp } th dport 5378 accept
    meta pkttype host jump count_refusal
    drop
  }

  chain count_refusal {
    counter name ip saddr map @refused_by
    limit rate 5/second meta nftrace set 1
  }

  chain refuse {
    jump count_refusal
    reject with icmpx admin-prohibited
  }

  chain from_guests {
    meta nfproto != ipv4 drop
    ip saddr != @guest_addresses drop
    ct state invalid drop
    oifname "banger0" ip saddr . ip daddr @peers accept
    oifname "banger0" goto refuse
    ip saddr != @nat_addresses goto refuse
    ct status dnat goto refuse
    ip saddr @open_addresses ip daddr @name_servers meta l4proto { tcp, udp } th dport 53 accept
    ip daddr 169.254.0.0/16 goto refuse
    ip daddr @refused_addresses goto refuse
    ip saddr @open_addresses accept
    ip saddr vmap @allowed_by
    ct state established ip saddr . ip daddr @learned update @learned { ip saddr . ip daddr timeout 3600s } accept
    ip saddr . ip daddr @learned accept
    goto refuse
  }

  chain to_guests {
    ip daddr @nat_addresses ct state established,related accept
    drop
  }

  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "banger0" jump from_guests
    oifname "banger0" jump to_guests
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
table netdev banger_0a1b2c3d {}
delete table netdev banger_0a1b2c3d
table inet banger_0a1b2c3d {
  set guest_addresses { type ipv4_addr; elements = { 10.77.0.2, 10.77.0.3 }; }

  set open_addresses { type ipv4_addr; elements = { 10.77.0.2 }; }

  set gated_addresses { type ipv4_addr; }

  set nat_addresses { type ipv4_addr; elements = { 10.77.0.2 }; }

  set name_servers { type ipv4_addr; elements = { 169.254.1.1 }; }

  set refused_addresses { type ipv4_addr; elements = { 192.0.2.10 }; }

  set peers { type ipv4_addr . ipv4_addr; }

  set learned { type ipv4_addr . ipv4_addr; flags dynamic,timeout; size 65536; }

  counter refused_bngr_1a2b3c4d5e { packets 0 bytes 0 }

  counter refused_bngr_00ff00ff00 { packets 0 bytes 0 }

  map refused_by { type ipv4_addr : counter; elements = { 10.77.0.2 : "refused_bngr_1a2b3c4d5e", 10.77.0.3 : "refused_bngr_00ff00ff00" }; }

${CHAINS}table netdev banger_0a1b2c3d {
  chain from_bngr_1a2b3c4d5e {
    type filter hook ingress device "bngr-1a2b3c4d5e" priority filter; policy drop;
    ether saddr 02:62:0a:4d:00:02 ip saddr 10.77.0.2 accept
    ether saddr 02:62:0a:4d:00:02 arp htype 1 arp ptype ip arp saddr ether 02:62:0a:4d:00:02 arp saddr ip { 0.0.0.0, 10.77.0.2 } accept
  }

  chain from_bngr_00ff00ff00 {
    type filter hook ingress device "bngr-00ff00ff00" priority filter; policy drop;
    ether saddr 02:62:0a:4d:00:03 ip saddr 10.77.0.3 accept
    ether saddr 02:62:0a:4d:00:03 arp htype 1 arp ptype ip arp saddr ether 02:62:0a:4d:00:03 arp saddr ip { 0.0.0.0, 10.77.0.3 } accept
  }
}
`);
  });

  it('keeps everything shut where nobody is attached', () => {
    expect(planRuleset(bridge, of(), { ...options, nameServers: [], refusedAddresses: [], throughPasta: false }))
      .toBe(`table inet banger_0a1b2c3d {}
delete table inet banger_0a1b2c3d
table netdev banger_0a1b2c3d {}
delete table netdev banger_0a1b2c3d
table inet banger_0a1b2c3d {
  set guest_addresses { type ipv4_addr; }

  set open_addresses { type ipv4_addr; }

  set gated_addresses { type ipv4_addr; }

  set nat_addresses { type ipv4_addr; }

  set name_servers { type ipv4_addr; }

  set refused_addresses { type ipv4_addr; }

  set peers { type ipv4_addr . ipv4_addr; }

  set learned { type ipv4_addr . ipv4_addr; flags dynamic,timeout; size 65536; }

  map refused_by { type ipv4_addr : counter; }

${CHAINS}table netdev banger_0a1b2c3d {
}
`);
  });

  it('has a rule for each network, and takes what was learned and counted along', () => {
    const gated = { ...withNat, egress: 'allow:192.0.2.0/24,192.0.2.7,example.org' };
    const kept = {
      refusals: new Map([['refused_bngr_1a2b3c4d5e', 7]]),
      learned: [
        { guest: '10.77.0.2', address: '203.0.113.1', expiresS: 12.3 },
        { guest: '10.77.0.2', address: '203.0.113.2', expiresS: 9000 },
        { guest: '10.77.0.3', address: '203.0.113.3', expiresS: 10 },
      ],
    };
    const text = planRuleset(bridge, { ports: [gated, withoutNat], peers: [], kept }, options);
    expect(text).toContain(`  chain allowed_bngr_1a2b3c4d5e {
    ip daddr 192.0.2.0/24 accept
    ip daddr 192.0.2.7 accept
  }
`);
    expect(text).toContain('elements = { 10.77.0.2 : jump allowed_bngr_1a2b3c4d5e };');
    expect(text).toContain(
      'elements = { 10.77.0.2 . 203.0.113.1 timeout 3600s expires 13s, 10.77.0.2 . 203.0.113.2 timeout 9000s expires 9000s };',
    );
    expect(text).toContain('counter refused_bngr_1a2b3c4d5e { packets 7 bytes 0 }');
    expect(text).toContain('counter refused_bngr_00ff00ff00 { packets 0 bytes 0 }');
    expect(text).toContain('set gated_addresses { type ipv4_addr; elements = { 10.77.0.2 }; }');
  });

  it('names a pair of peers in both directions, where both are there', () => {
    const pairs = [
      ['10.77.0.2', '10.77.0.3'],
      ['10.77.0.3', '10.77.0.9'],
    ] as const;
    const text = planRuleset(bridge, { ports: [withNat, withoutNat], peers: pairs }, options);
    expect(text).toContain(
      'set peers { type ipv4_addr . ipv4_addr; elements = { 10.77.0.2 . 10.77.0.3, 10.77.0.3 . 10.77.0.2 }; }',
    );
  });

  it('names an address once, however often it is given', () => {
    const text = planRuleset(bridge, of(), { ...options, nameServers: ['192.0.2.53', '192.0.2.53'] });
    expect(text).toContain('set name_servers { type ipv4_addr; elements = { 192.0.2.53 }; }');
  });

  const hostile = '10.77.0.2; } delete table inet other #';
  it.each([
    ['an address', [{ ...withNat, address: hostile }], {}],
    ['an egress policy', [{ ...withNat, egress: 'allow:10.0.0.0/8 }' }], {}],
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
    expect(planRemoval('banger_0a1b2c3d')).toBe(
      'table inet banger_0a1b2c3d {}\ndelete table inet banger_0a1b2c3d\n' +
        'table netdev banger_0a1b2c3d {}\ndelete table netdev banger_0a1b2c3d\n',
    );
  });
});

describe('planLearned', () => {
  it('gives an address an hour or the name’s own time, whether it was there or not', () => {
    const element = 'element inet t learned { 10.77.0.2 . 192.0.2.7';
    const text = (lifeS: number): string =>
      `add ${element} }\ndelete ${element} }\nadd ${element} timeout ${lifeS}s }\n`;
    const addresses = ['192.0.2.7', '192.0.2.7'];
    expect(planLearned('t', '10.77.0.2', { addresses, ttlS: 5 })).toBe(text(3600));
    expect(planLearned('t', '10.77.0.2', { addresses, ttlS: 7200 })).toBe(text(7200));
    expect(planLearned('t', '10.77.0.2', { addresses, ttlS: 2 ** 31 })).toBe(text(86_400));
  });

  it('refuses what is no address', () => {
    expect(() => planLearned('t', '10.77.0.2', { addresses: ['192.0.2.7 }'], ttlS: 5 })).toThrow(
      expect.objectContaining({ code: 'INTERNAL' }),
    );
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
