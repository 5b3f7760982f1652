import { describe, expect, it } from 'vitest';
import { pastaArgv } from '../../../../src/adapters/host-network/pasta.ts';

describe('pastaArgv', () => {
  it('forwards no port, maps no loopback, and answers for the host’s resolver', () => {
    expect(pastaArgv('banger-0a1b2c3d', '/run/x/pasta.pid.1')).toEqual([
      'pasta',
      '--foreground',
      '--config-net',
      '--netns-only',
      '--runas=0',
      '--ns-ifname=eth0',
      '--tcp-ports=none',
      '--udp-ports=none',
      '--tcp-ns=none',
      '--udp-ns=none',
      '--no-map-gw',
      '--dns-forward=169.254.1.1',
      '--pid=/run/x/pasta.pid.1',
      '--netns=/run/netns/banger-0a1b2c3d',
    ]);
  });
});
