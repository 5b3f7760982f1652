/**
 * Rule sets of other firewalls, as `nft list ruleset` shows them on hosts that have these. Shortened to what forwarded
 * packets meet: chains and rules are those that the programs make, and `mended` are those that their own command adds.
 */
export interface OtherFirewall {
  readonly owner: string;
  readonly chain: string;
  readonly rules: string;
  /** What the fix of doctor makes of itself in nftables. */
  readonly mended: string;
}

export const OTHER_FIREWALLS: readonly OtherFirewall[] = [
  {
    // Docker 27 by iptables-nft.
    owner: 'Docker',
    chain: 'ip filter FORWARD',
    rules: `table ip filter {
      chain DOCKER { iifname != "docker0" oifname "docker0" counter drop; }
      chain DOCKER-ISOLATION-STAGE-2 { oifname "docker0" counter drop; counter return; }
      chain DOCKER-ISOLATION-STAGE-1 { iifname "docker0" oifname != "docker0" counter jump DOCKER-ISOLATION-STAGE-2; counter return; }
      chain DOCKER-USER { counter return; }
      chain FORWARD {
        type filter hook forward priority filter; policy drop;
        counter jump DOCKER-USER
        counter jump DOCKER-ISOLATION-STAGE-1
        oifname "docker0" ct state related,established counter accept
        oifname "docker0" counter jump DOCKER
        iifname "docker0" oifname != "docker0" counter accept
        iifname "docker0" oifname "docker0" counter accept
      }
    }`,
    mended: `insert rule ip filter DOCKER-USER iifname "banger0" counter accept
      insert rule ip filter DOCKER-USER oifname "banger0" ct state related,established counter accept`,
  },
  {
    // ufw 0.36.2, DEFAULT_FORWARD_POLICY="DROP" as it comes, by iptables-nft.
    owner: 'ufw',
    chain: 'ip filter FORWARD',
    rules: `table ip filter {
      chain ufw-user-forward { }
      chain ufw-before-forward {
        ct state related,established counter accept
        icmp type destination-unreachable counter accept
        icmp type echo-request counter accept
        counter jump ufw-user-forward
      }
      chain ufw-skip-to-policy-forward { counter drop; }
      chain ufw-after-forward { }
      chain ufw-reject-forward { }
      chain FORWARD {
        type filter hook forward priority filter; policy drop;
        counter jump ufw-before-forward
        counter jump ufw-after-forward
        counter jump ufw-reject-forward
      }
    }`,
    mended: 'add rule ip filter ufw-user-forward iifname "banger0" counter accept',
  },
  {
    // firewalld 1.3, backend nftables, default zone public.
    owner: 'firewalld',
    chain: 'inet firewalld filter_FORWARD',
    rules: `table inet firewalld {
      chain filter_FWD_trusted { accept; }
      chain filter_FWD_public { reject with icmpx admin-prohibited; }
      chain filter_FORWARD_ZONES { goto filter_FWD_public; }
      chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state { established, related } accept
        ct status dnat accept
        iifname "lo" accept
        ct state { invalid } drop
        ip6 daddr { ::/96, ::ffff:0.0.0.0/96 } reject with icmpv6 addr-unreachable
        jump filter_FORWARD_ZONES
        reject with icmpx admin-prohibited
      }
    }`,
    mended: 'insert rule inet firewalld filter_FORWARD_ZONES iifname "banger0" goto filter_FWD_trusted',
  },
  {
    owner: 'table inet strict',
    chain: 'inet strict forward',
    rules: `table inet strict {
      chain forward { type filter hook forward priority 5; policy drop; iifname "lan0" accept; }
    }`,
    mended: `insert rule inet strict forward iifname banger0 accept
      insert rule inet strict forward oifname banger0 ct state established,related accept`,
  },
];
