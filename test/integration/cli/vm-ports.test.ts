import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { VmPorts } from '../../../src/contracts/vm-ports.ts';
import { type BangerCopy, copyBanger } from '../../support/banger-copy.ts';
import { FakeDaemon, FakeRefusal } from '../../support/fake-daemon.ts';
import { sampleVm } from '../../support/samples.ts';

let banger: BangerCopy;
let daemon: FakeDaemon;

beforeAll(async () => {
  banger = await copyBanger();
});
afterAll(() => banger[Symbol.asyncDispose]());
beforeEach(async () => {
  daemon = await FakeDaemon.start(banger);
  return () => daemon[Symbol.asyncDispose]();
});

function portsOf(vmName: string, more: Partial<VmPorts> = {}): VmPorts {
  return {
    vmName,
    hostName: `${vmName}.vm`,
    hostAddress: '127.77.4.2',
    namesEnabled: true,
    truncated: false,
    ports: [
      { protocol: 'tcp', address: '0.0.0.0', port: 22, process: 'sshd', pid: 1, reachable: true },
      {
        protocol: 'tcp',
        address: '::',
        port: 3000,
        process: 'no\u001b[2Jde',
        pid: 2,
        reachable: true,
        link: `http://${vmName}.vm:3000`,
      },
      { protocol: 'tcp', address: '127.0.0.1', port: 5432, reachable: false, refusal: 'guest-loopback' },
      { protocol: 'tcp', address: '0.0.0.0', port: 80, reachable: false, refusal: 'address-in-use' },
    ],
    ...more,
  };
}

describe('vm ports', () => {
  test('each port with its place on the host, a link, or the reason; what a guest says cannot act', async () => {
    daemon.on('vmPorts', ({ params }) => portsOf(params['name'] ?? ''));
    const { status, stdout, stderr } = await banger.run(['vm', 'ports', 'calm-otter']);
    expect(stdout.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^VM +PROTOCOL +ADDRESS +PORT +PROCESS +ON THE HOST$/),
      expect.stringMatching(/^calm-otter +tcp +0\.0\.0\.0 +22 +sshd +calm-otter\.vm:22$/),
      expect.stringMatching(/^calm-otter +tcp +:: +3000 +no\^\[\[2Jde +http:\/\/calm-otter\.vm:3000$/),
      expect.stringMatching(/^calm-otter +tcp +127\.0\.0\.1 +5432 +no: it listens on the guest’s own loopback$/),
      expect.stringMatching(/^calm-otter +tcp +0\.0\.0\.0 +80 +no: address in use on the host$/),
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('where the host was not told of names, the address is, and the command', async () => {
    daemon.on('vmPorts', ({ params }) => portsOf(params['name'] ?? '', { namesEnabled: false }));
    const { stderr } = await banger.run(['vm', 'ports', 'calm-otter']);
    expect(stderr).toContain('`banger dns enable`. Until then calm-otter.vm is 127.77.4.2.');
  });

  test('without names: every VM that runs; one without an agent is a word, and no failure', async () => {
    daemon.on('vmList', () => [
      sampleVm(),
      sampleVm({ name: 'still', state: 'stopped' }),
      sampleVm({ name: 'mute' }),
      sampleVm({ name: 'grey-heron' }),
    ]);
    daemon.on('vmPorts', ({ params }) => {
      if (params['name'] === 'mute') throw new FakeRefusal('AGENT_UNREACHABLE', 'The guest has no agent.');
      return portsOf(params['name'] ?? '', { truncated: params['name'] === 'grey-heron' });
    });
    const { status, stdout, stderr } = await banger.run(['vm', 'ports', '--json']);
    expect((JSON.parse(stdout) as VmPorts[]).map(({ vmName }) => vmName)).toEqual(['calm-otter', 'grey-heron']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: 'mute: The guest has no agent.\n' });
    const { stderr: said } = await banger.run(['vm', 'ports']);
    expect(said).toContain('grey-heron: more listen than its agent lists.');
  });

  test('a VM that was named and cannot be asked is a failure; the others still have their turn', async () => {
    daemon.on('vmPorts', ({ params }) => {
      if (params['name'] === 'mute') throw new FakeRefusal('AGENT_UNREACHABLE', 'The guest has no agent.');
      return portsOf(params['name'] ?? '');
    });
    const { status, stdout, stderr } = await banger.run(['vm', 'ports', 'mute', 'calm-otter']);
    expect(stderr).toContain('(AGENT_UNREACHABLE)');
    expect(stdout).toContain('http://calm-otter.vm:3000');
    expect(status).toBe(1);
  });

  test.each([
    [[], 'No VM runs.'],
    [[sampleVm()], 'Nothing listens in calm-otter.'],
  ])('nothing there: a word on stderr, nothing on stdout', async (vms, word) => {
    daemon.on('vmList', () => vms);
    daemon.on('vmPorts', () => portsOf('calm-otter', { ports: [] }));
    expect(await banger.run(['vm', 'ports'])).toEqual({ status: 0, stdout: '', stderr: `${word}\n` });
  });
});
