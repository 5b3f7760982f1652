import { describe, expect, it } from 'vitest';
import { readFirewall } from '../../../../src/core/networks/firewall-state.ts';

const TABLE = 'banger_0a1b2c3d';

/** As nft 1.0.6 tells it. */
function listed(more: readonly unknown[] = [], { packets = 5, handle = 3, expires = 1199 } = {}): string {
  const pair = { concat: ['10.77.0.2', '192.0.2.9'] };
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6', json_schema_version: 1 } },
      { table: { family: 'inet', name: TABLE, handle } },
      { counter: { family: 'inet', name: 'refused_a', table: TABLE, handle, packets, bytes: 300 } },
      {
        set: {
          family: 'inet',
          name: 'learned',
          table: TABLE,
          handle,
          elem: [{ elem: { val: pair, timeout: 3600, expires } }],
        },
      },
      { set: { family: 'inet', name: 'peers', table: TABLE, handle, elem: [pair] } },
      ...more,
    ],
  });
}

const rule = { rule: { family: 'inet', table: TABLE, chain: 'input', handle: 9, expr: [{ drop: null }] } };

describe('readFirewall', () => {
  it('tells what was counted and learned', () => {
    const { state } = readFirewall(listed(), TABLE);
    expect([...state.refusals]).toEqual([['refused_a', 5]]);
    expect(state.learned).toEqual([{ guest: '10.77.0.2', address: '192.0.2.9', expiresS: 1199 }]);
  });

  it('of another table tells nothing', () => {
    const { state } = readFirewall(listed(), 'banger_ffffffff');
    expect([state.refusals.size, state.learned.length]).toEqual([0, 0]);
  });

  it.each([
    ['counts and times go on', listed([], { packets: 99, handle: 40, expires: 3 }), true],
    ['another table is changed', listed([{ table: { family: 'ip', name: 'filter' } }]), true],
    ['a rule is added', listed([rule]), false],
    ['an element is added', listed([{ set: { name: 'allowed', table: TABLE, elem: ['192.0.2.1'] } }]), false],
  ])('where %s the fingerprint is the same: %#', (_what, json, same) => {
    expect(readFirewall(json, TABLE).fingerprint === readFirewall(listed(), TABLE).fingerprint).toBe(same);
  });

  it('tells a table from none', () => {
    const none = JSON.stringify({ nftables: [{ metainfo: {} }] });
    expect(readFirewall(none, TABLE).fingerprint).not.toBe(readFirewall(listed(), TABLE).fingerprint);
  });
});
