import { describe, expect, it } from 'vitest';
import { toolFailure } from '../../../../src/adapters/host-network/tool.ts';
import { ProcessError } from '../../../../src/host/process.ts';

describe('toolFailure', () => {
  it.each([
    ['ip', 'apt-get install iproute2'],
    ['nft', 'apt-get install nftables'],
    ['pasta', 'apt-get install passt'],
  ])('tells what installs %s', (program, hint) => {
    const error = new ProcessError('not-found', program, { reason: 'is not installed' });
    expect(toolFailure(error)).toMatchObject({ code: 'HOST_TOOL_MISSING', hint, cause: error });
  });

  it('tells who may change the network', () => {
    const stderr = 'mount --make-shared /run/netns failed: Operation not permitted\n';
    const error = new ProcessError('exit', 'ip', { reason: 'ended with status 1', exitStatus: 1, stderr });
    expect(toolFailure(error)).toMatchObject({
      code: 'NETWORK_UNAVAILABLE',
      hint: 'Run banger as root.',
      details: { program: 'ip', exitStatus: 1, stderr },
    });
  });

  it('repeats the program’s own words', () => {
    const stderr = 'RTNETLINK answers: No buffer space available\n';
    const error = new ProcessError('exit', 'ip', { reason: 'ended with status 2', exitStatus: 2, stderr });
    expect(toolFailure(error).message).toContain('No buffer space available');
  });
});
