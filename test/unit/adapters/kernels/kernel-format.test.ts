import { describe, expect, test } from 'vitest';
import { recogniseKernel, versionInBanner } from '../../../../src/adapters/kernels/kernel-format.ts';
import { bzImage, elfKernel } from '../../../support/kernel-files.ts';
import { tinyKernel } from '../../../support/tiny-kernel.ts';

describe('bzImage', () => {
  test('its version and how large it must be', () => {
    expect(recogniseKernel(bzImage({ version: '6.1.0-18-cloud-amd64' }))).toEqual({
      format: 'bzimage',
      version: '6.1.0-18-cloud-amd64',
      sizeBytes: bzImage().length,
    });
  });

  test('one that does not tell its version is a kernel too', () => {
    expect(recogniseKernel(bzImage({ version: undefined }))).toMatchObject({ format: 'bzimage', version: undefined });
  });

  test.each([
    ['zImage', bzImage({ loadFlags: 0 }), /zImage/],
    ['32-bit', bzImage({ xloadFlags: 0 }), /32-bit kernel/],
    ['cut off in its header', bzImage().subarray(0, 0x210), /cut off/],
  ])('%s is refused', (_what, head, words) => {
    expect(recogniseKernel(head)).toMatchObject({ refused: expect.stringMatching(words) });
  });

  test('a kernel from before the 64-bit entry was marked is taken', () => {
    expect(recogniseKernel(bzImage({ protocol: 0x020b, xloadFlags: 0 }))).toMatchObject({ format: 'bzimage' });
  });
});

describe('ELF', () => {
  test('an x86-64 vmlinux is taken', () => {
    expect(recogniseKernel(elfKernel())).toEqual({ format: 'elf' });
  });

  test.each([
    ['for arm64', elfKernel({ machine: 183 }), /for arm64/],
    ['for a processor without a name here', elfKernel({ machine: 9999 }), /another processor/],
    ['32-bit', elfKernel({ machine: 3, elfClass: 1 }), /32-bit x86/],
    ['an object or module', elfKernel({ type: 1 }), /\.ko/],
    ['a shared library', elfKernel({ type: 3 }), /shared library/],
    ['a core dump', elfKernel({ type: 4 }), /core dump/],
    ['an ordinary static program', elfKernel({ address: 0x400000n }), /ordinary program/],
    ['without program headers in reach', elfKernel({ headersAt: 2n ** 40n }), /ordinary program/],
    ['cut off', elfKernel().subarray(0, 40), /cut off/],
  ])('%s is refused', (_what, head, words) => {
    expect(recogniseKernel(head)).toMatchObject({ refused: expect.stringMatching(words) });
  });

  test('a program that runs without Linux is no Linux kernel', () => {
    expect(recogniseKernel(tinyKernel('hello'))).toMatchObject({ refused: expect.stringMatching(/ordinary program/) });
  });
});

describe('everything else', () => {
  const at = (offset: number, text: string): Buffer =>
    Buffer.concat([Buffer.alloc(offset, 0x01), Buffer.from(text, 'latin1'), Buffer.alloc(64)]);

  test.each([
    ['arm64', at(0x38, 'ARMd'), /arm64 kernel/],
    ['RISC-V', at(0x38, 'RSC\u0005'), /RISC-V/],
    ['nothing', Buffer.alloc(0), /^empty$/],
    ['zeroes', Buffer.alloc(4096), /zeroes/],
    ['text', Buffer.from('just some words\n'), /text/],
    ['ext4', at(0x438, '\u0053\u00ef'), /ext4/],
    ['a script', Buffer.from('#!/bin/sh\n'), /script/],
    ['something else', Buffer.from([1, 2, 3, 0xff]), /not known/],
  ])('%s is refused in words', (_what, head, words) => {
    expect(recogniseKernel(head)).toMatchObject({ refused: expect.stringMatching(words) });
  });

  test('a compressed file comes with the advice to unpack it', () => {
    expect(recogniseKernel(Buffer.from([0x1f, 0x8b, 8, 0]))).toEqual({
      refused: 'a gzip-compressed file',
      hint: expect.stringContaining('Unpack it'),
    });
  });
});

test.each([
  ['xx\0Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) (gcc', '6.1.0-18-amd64'],
  ['Linux version 6.6.1+ (a@b)', '6.6.1+'],
  ['Linux version %s (%s@%s)', undefined],
  ['no banner', undefined],
])('versionInBanner(%j) is %j', (text, version) => {
  expect(versionInBanner(text)).toBe(version);
});
