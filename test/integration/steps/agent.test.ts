import { readFile } from 'node:fs/promises';
import { beforeEach, expect, test } from 'vitest';
import { agentFiles } from '../../../src/host/paths.ts';
import { REPOSITORY_ROOT } from '../../support/source-tree.ts';
import { needSandbox, runSandbox } from './sandbox.ts';

beforeEach(needSandbox);

const PROGRAM = '/usr/local/libexec/banger-agent';

test('the step: program, version, unit, modules and the link of `systemctl enable`; the second run changes nothing', async () => {
  const result = await runSandbox(`
    step agent; snapshot one; step agent; snapshot two
    stat -c '%a %U:%G' ${PROGRAM} ${PROGRAM}.version /etc/systemd/system/banger-agent.service \\
      /etc/modules-load.d/banger-agent.conf >/run/work/modes
    readlink /etc/systemd/system/sysinit.target.wants/banger-agent.service >>/run/work/modes
    ${PROGRAM} --version | cmp - ${PROGRAM}.version; cp ${PROGRAM}.version /run/work/version; ls -A /usr/local/libexec >/run/work/names`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(await result.read('two')).toBe(await result.read('one'));
  expect(await result.read('modes')).toBe(
    '755 root:root\n644 root:root\n644 root:root\n644 root:root\n/etc/systemd/system/banger-agent.service\n',
  );
  expect(await result.read('names')).toBe('banger-agent\nbanger-agent.version\n');
  expect(await result.read('version')).toBe(await readFile(agentFiles(REPOSITORY_ROOT).version, 'utf8'));
});

test('an agent that runs is replaced', async () => {
  const result = await runSandbox(`
    step agent
    ${PROGRAM} --listen unix:/run/agent.sock & running=$!
    step agent
    kill $running`);
  expect(result).toMatchObject({ exitStatus: 0, stderr: '' });
});
