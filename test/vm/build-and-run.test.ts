/** The main job, end to end: images built inside VMs, VMs from images, what is written stays. */
import { writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, inject, test } from 'vitest';
import { STEP_NAMES } from '../../src/contracts/build.ts';
import type { Image, ImageHistory } from '../../src/contracts/image.ts';
import type { Operation } from '../../src/contracts/operation.ts';
import type { Vm } from '../../src/contracts/vm.ts';
import { banger, json, ok, operations, refused, stageBegun } from './banger.ts';

const MINIMAL = ['--preset', 'minimal'];

/** `--without` for every step but `base` and those named. */
function withoutAllBut(...kept: readonly string[]): string[] {
  return STEP_NAMES.filter((name) => name !== 'base' && !kept.includes(name)).flatMap((name) => ['--without', name]);
}

describe('a build', () => {
  test('installs packages inside a VM and records where the image comes from', async () => {
    await ok(['image', 'build', 'tools', '--from', 'debian', ...MINIMAL, '--package', 'jq', '--size', '2560M']);
    const source = await json<Image>(['image', 'show', 'debian']);
    const image = await json<Image>(['image', 'show', 'tools']);
    expect(image.sizeBytes).toBe(2560 * 2 ** 20);
    expect(image.provenance.source).toEqual({ name: 'debian', digest: source.digest });
    expect(image.provenance.steps.map((step) => step.name)).toEqual([
      'base',
      'packages',
      'network',
      'agent',
      'cleanup',
    ]);
    const { packages } = await json<ImageHistory>(['image', 'history', 'tools']);
    expect(packages.some((line) => line.startsWith('jq '))).toBe(true);
  });

  test('on a build’s own result changes nothing but times', async () => {
    await ok(['image', 'build', 'again', '--from', 'tools', ...MINIMAL, '--package', 'jq']);
    const first = await json<Image>(['image', 'show', 'tools']);
    const second = await json<Image>(['image', 'show', 'again']);
    expect(second.packagesDigest).toBe(first.packagesDigest);
    const digests = (image: Image) => image.provenance.steps.map((step) => step.inputsDigest);
    expect(digests(second)).toEqual(digests(first));
    const history = await json<ImageHistory>(['image', 'history', 'again']);
    expect(history.entries.map((entry) => entry.imageName)).toEqual(['again', 'tools', 'debian']);
    await ok(['image', 'delete', 'again']);
  });

  test('fails with apt’s own words where a package does not exist', async () => {
    const error = await refused([
      'image',
      'build',
      'wrong',
      '--from',
      'debian',
      ...MINIMAL,
      '--package',
      'no-such-thing',
    ]);
    expect(error).toMatchObject({ code: 'BUILD_STEP_FAILED', details: { step: 'packages' } });
    expect(JSON.stringify(error)).toContain('Unable to locate package no-such-thing');
    expect(error.hint).toContain('banger op logs op-');
    expect((await refused(['image', 'show', 'wrong'])).code).toBe('IMAGE_NOT_FOUND');
  });

  test('cuts a step that hangs at its deadline', async () => {
    const script = join(inject('bangerHome'), 'hang.sh');
    writeFileSync(script, '#!/bin/sh\necho before the hang\nsleep 100000\n');
    const args = ['image', 'build', 'slow', '--from', 'debian', ...MINIMAL, '--script', script];
    const error = await refused([...args, '--step-timeout', '60s']);
    expect(error).toMatchObject({ code: 'BUILD_STEP_TIMEOUT' });
    const [operation] = await operations();
    const states = operation?.stages.map((stage) => [stage.name, stage.state]);
    expect(states).toContainEqual(['step:user', 'failed']);
    expect(states).toContainEqual(['step:cleanup', 'skipped']);
  });

  test('is cancelled in the middle, leaves nothing, and its name is free', async () => {
    const building = banger(['image', 'build', 'gone', '--from', 'debian', ...MINIMAL]);
    const operation = await stageBegun('gone', 'step:base');
    await ok(['op', 'cancel', operation.id]);
    expect((await building).status).toBe(1);
    const ended = await json<Operation>(['op', 'show', operation.id]);
    expect(ended).toMatchObject({ state: 'cancelled', error: { code: 'OPERATION_CANCELLED' } });
    expect((await refused(['image', 'show', 'gone'])).code).toBe('IMAGE_NOT_FOUND');
    expect(await readdir(join(inject('bangerHome'), 'state', 'staging'))).toEqual([]);
    expect(await readdir(join(inject('bangerHome'), 'state', 'vms'))).toEqual([]);
  });

  test('with tmux brings its plugins from the mirror that the config names', async () => {
    await ok(['image', 'build', 'muxed', '--from', 'tools', '--preset', 'dev', ...withoutAllBut('tmux', 'network')]);
    const args = ['vm', 'run', '--rm', '--image', 'muxed', '--', 'sh', '-c'];
    const show =
      'ls /root/.tmux/plugins; grep -c "banger tmux plugins" /root/.tmux.conf; cat /root/.tmux/plugins/tpm/tpm';
    const shown = await ok([...args, show]);
    expect(shown).toContain('tmux-continuum\ntmux-resurrect\ntpm\n2\n');
    expect(shown).toContain('echo this is tpm');
    await ok(['image', 'delete', 'muxed']);
  });
});

describe('a VM', () => {
  test('runs one command and is gone, its status is ours', async () => {
    const result = await banger([
      'vm',
      'run',
      '--rm',
      '--image',
      'tools',
      '--',
      'sh',
      '-c',
      'jq --version; uname -r; exit 7',
    ]);
    expect(result.stdout).toMatch(/^jq-1/m);
    expect(result.status).toBe(7);
    expect(await json<Vm[]>(['vm', 'list'])).toEqual([]);
  });

  test('keeps what was written when it is stopped and started', async () => {
    await ok(['vm', 'create', '--name', 'box', '--image', 'tools']);
    const created = await json<Vm>(['vm', 'show', 'box']);
    expect(created.state).toBe('running');
    await ok(['vm', 'ssh', 'box', '--', 'sh', '-c', 'echo "kept by banger" > /root/note; hostname']);
    await ok(['vm', 'stop', 'box']);
    expect((await json<Vm>(['vm', 'show', 'box'])).state).toBe('stopped');
    const entering = await banger(['vm', 'ssh', 'box', '--', 'true']);
    expect(entering.status).not.toBe(0);
    expect(entering.stderr).toContain('VM_STATE_INVALID');
    await ok(['vm', 'start', 'box']);
    expect(await ok(['vm', 'ssh', 'box', '--', 'cat', '/root/note'])).toBe('kept by banger\n');
    const started = await json<Vm>(['vm', 'show', 'box']);
    expect([started.address, started.macAddress, started.tapName]).toEqual([
      created.address,
      created.macAddress,
      created.tapName,
    ]);
  });

  test('that uses an image keeps it from being deleted, and is named', async () => {
    const error = await refused(['image', 'delete', 'tools']);
    expect(error.code).toBe('IMAGE_IN_USE');
    expect(error.message).toContain('box');
  });

  test('lives on when the daemon is stopped and started', async () => {
    const bootId = await ok(['vm', 'ssh', 'box', '--', 'cat', '/proc/sys/kernel/random/boot_id']);
    expect(await ok(['daemon', 'stop'])).toContain('box');
    expect(await ok(['vm', 'ssh', 'box', '--', 'cat', '/proc/sys/kernel/random/boot_id'])).toBe(bootId);
  });

  test('reaches nothing outside without NAT', async () => {
    // The name server is outside already; without NAT even that answers nothing.
    const result = await banger(['vm', 'ssh', 'box', '--', 'timeout', '10', 'getent', 'hosts', 'example.com']);
    expect([2, 124]).toContain(result.status);
    expect(result.stdout).toBe('');
  });

  test('is deleted while it runs, and its image after it', async () => {
    await ok(['vm', 'delete', 'box']);
    expect(await json<Vm[]>(['vm', 'list'])).toEqual([]);
    await ok(['image', 'delete', 'tools']);
  });
});
