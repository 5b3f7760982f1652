/** What bad input gets: a code and a hint, at once, before anything is made. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Image } from '../../src/contracts/image.ts';
import type { Vm } from '../../src/contracts/vm.ts';
import { json, operations, refused } from './banger.ts';

let dir: string;
let textFile: string;
let before: number;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'bgr-bad-'));
  textFile = join(dir, 'notes.txt');
  writeFileSync(textFile, 'this is neither a kernel nor a filesystem\n'.repeat(100));
  before = (await operations()).length;
});

afterAll(async () => {
  rmSync(dir, { recursive: true });
  // Refused before anything was made: not even an operation.
  expect((await operations()).length).toBe(before);
  expect(await json<Image[]>(['image', 'list'])).toHaveLength(1);
  expect(await json<Vm[]>(['vm', 'list'])).toEqual([]);
});

const BUILD = ['image', 'build', 'dev', '--from', 'debian', '--preset', 'minimal'];

describe('image build', () => {
  test.each([
    { why: 'an unknown source', args: ['image', 'build', 'dev', '--from', 'nothing'], code: 'IMAGE_NOT_FOUND' },
    { why: 'a taken name', args: ['image', 'build', 'debian', '--from', 'debian'], code: 'NAME_TAKEN' },
    { why: 'a name with a path', args: ['image', 'build', '../x', '--from', 'debian'], code: 'REQUEST_INVALID' },
    { why: 'a name for a shell', args: ['image', 'build', '$(reboot)', '--from', 'debian'], code: 'REQUEST_INVALID' },
    { why: 'a name of 64', args: ['image', 'build', 'a'.repeat(64), '--from', 'debian'], code: 'REQUEST_INVALID' },
    { why: 'a size below the source', args: [...BUILD, '--size', '512M'], code: 'SIZE_INVALID' },
    { why: 'the size 12', args: [...BUILD, '--size', '12'], code: 'SIZE_INVALID' },
    { why: 'the size 8X', args: [...BUILD, '--size', '8X'], code: 'SIZE_INVALID' },
    { why: 'the size -1G', args: [...BUILD, '--size=-1G'], code: 'SIZE_INVALID' },
    { why: 'the size 1e99G', args: [...BUILD, '--size', '1e99G'], code: 'SIZE_INVALID' },
    { why: 'an empty size', args: [...BUILD, '--size', ''], code: 'SIZE_INVALID' },
    { why: 'a package like an option', args: [...BUILD, '--package=-y'], code: 'PACKAGE_NAME_INVALID' },
    { why: 'a package with a space', args: [...BUILD, '--package', 'git jq'], code: 'PACKAGE_NAME_INVALID' },
    { why: 'a package with a quote', args: [...BUILD, '--package', "git'"], code: 'PACKAGE_NAME_INVALID' },
    { why: 'a package for a shell', args: [...BUILD, '--package', 'git;reboot'], code: 'PACKAGE_NAME_INVALID' },
    { why: 'an unknown step', args: [...BUILD, '--without', 'nosuch'], code: 'STEP_UNKNOWN' },
    { why: 'the step base left out', args: [...BUILD, '--without', 'base'], code: 'STEP_INVALID' },
  ])('$why is refused as $code', async ({ args, code }) => {
    const error = await refused(args);
    expect(error.code).toBe(code);
    expect(error.hint).not.toBe('');
  });

  test('a kernel that is none', async () => {
    const error = await refused([...BUILD, '--kernel', textFile]);
    expect(error).toMatchObject({ code: 'KERNEL_INVALID' });
    expect(error.message).toContain('notes.txt');
  });
});

describe('image register', () => {
  test('a rootfs that is not ext4', async () => {
    const { boot } = await json<Image>(['image', 'show', 'debian']);
    const args = ['image', 'register', 'mine', '--rootfs', textFile, '--kernel', boot.kernelPath];
    expect(await refused(args)).toMatchObject({ code: 'ROOTFS_INVALID' });
  });

  test('a file that is not there', async () => {
    const args = ['image', 'register', 'mine', '--rootfs', join(dir, 'gone'), '--kernel', textFile];
    expect(await refused(args)).toMatchObject({ code: 'IMAGE_FILES_MISSING' });
  });
});

describe('vm', () => {
  test.each([
    { why: 'a VM that is not there', args: ['vm', 'start', 'nobody'], code: 'VM_NOT_FOUND' },
    { why: 'no processors', args: ['vm', 'create', '--cpus', '0'], code: 'REQUEST_INVALID' },
    { why: 'too little memory', args: ['vm', 'create', '--memory', '1M'], code: 'SIZE_INVALID' },
    { why: 'a disk below the image', args: ['vm', 'create', '--disk', '1G'], code: 'SIZE_INVALID' },
    { why: 'an operation that is not there', args: ['op', 'show', 'op-none123456'], code: 'OPERATION_NOT_FOUND' },
  ])('$why is refused as $code', async ({ args, code }) => {
    expect((await refused(args)).code).toBe(code);
  });
});
