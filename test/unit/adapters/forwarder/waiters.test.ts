import { expect, test } from 'vitest';
import { waiterArgv } from '../../../../src/adapters/forwarder/waiters.ts';

test('a forwarder waits as flock behind its gate, ends with its daemon, and knows both sockets', () => {
  const argv = waiterArgv('/run/b/forwarder.gate', {
    forwarderSocket: '/run/b/forwarder.sock',
    daemonSocket: '/run/b/banger.sock',
  });
  expect(argv.slice(0, 3)).toEqual(['setpriv', '--pdeathsig=KILL', '--']);
  expect(argv.slice(3, 6)).toEqual(['flock', '--no-fork', '/run/b/forwarder.gate']);
  expect(argv.slice(-3)).toEqual([
    '--control=/run/b/forwarder.sock',
    '--daemon=/run/b/banger.sock',
    '--gate=/run/b/forwarder.gate',
  ]);
});
