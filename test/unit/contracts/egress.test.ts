import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalEgress, egressSchema, MAX_EGRESS_TARGETS, readEgress } from '../../../src/contracts/egress.ts';

describe('readEgress', () => {
  test.each(['none', 'open'] as const)('takes %s', (mode) => {
    expect(readEgress(mode)).toEqual({ egress: { mode, networks: [], names: [] } });
  });

  test('tells names from networks, in lower case, each once', () => {
    const text = 'allow:Git.Example.COM, 192.0.2.0/24,192.0.2.7,*.example.org,git.example.com,registry';
    const egress = {
      mode: 'allow',
      networks: ['192.0.2.0/24', '192.0.2.7'],
      names: ['git.example.com', '*.example.org', 'registry'],
    };
    expect(readEgress(text)).toEqual({ egress });
    expect(canonicalEgress(text)).toBe('allow:192.0.2.0/24,192.0.2.7,git.example.com,*.example.org,registry');
    expect(readEgress(canonicalEgress(text))).toEqual({ egress });
  });

  test.each([
    ['', 'must be none'],
    ['all', 'must be none'],
    ['OPEN', 'must be none'],
    ['allow', 'must be none'],
    ['allow:', 'nothing follows'],
    ['allow: , ', 'nothing follows'],
    ['allow:10.0.0.300', 'no IPv4'],
    ['allow:10.0.0', 'no IPv4'],
    ['allow:10.0.0.0/33', 'no IPv4'],
    ['allow:10.0.0.0/08', 'no IPv4'],
    ['allow:example.org/24', 'no IPv4'],
    ['allow:10.0.0.1/8', 'host bits'],
    ['allow:0.0.0.0/0', 'write open'],
    ['allow:*', 'write open'],
    ['allow:169.254.169.254', 'metadata'],
    ['allow:127.0.0.0/8', 'loopback'],
    ['allow:239.1.2.3', 'multicast'],
    ['allow:example.org:443', 'no ports'],
    ['allow:fd00::1', 'no IPv6'],
    ['allow:http://example.org', 'no ports'],
    ['allow:a..b', 'no host name'],
    ['allow:*.*.org', 'no host name'],
    ['allow:a.*.org', 'no host name'],
    ['allow:-a.org', 'no host name'],
    ['allow:a b', 'no host name'],
    [`allow:${'x'.repeat(64)}.org`, 'no host name'],
    [`allow:${'x.'.repeat(127)}org`, 'no host name'],
    [`allow:${Array.from({ length: MAX_EGRESS_TARGETS + 1 }, (_, at) => `h${at}.org`).join(',')}`, 'too many'],
  ])('says what is wrong with %j', (text, words) => {
    expect(readEgress(text)).toEqual({ problem: expect.stringContaining(words) as string });
    expect(egressSchema.safeParse(text).success).toBe(false);
  });

  test('of any text says either what it means or, in a short line, what is wrong', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `allow:${text}`),
        ),
        (text) => {
          const read = readEgress(text);
          if ('problem' in read) expect(read.problem.length).toBeLessThan(250);
          else expect(canonicalEgress(canonicalEgress(text))).toBe(canonicalEgress(text));
        },
      ),
    );
  });
});
