import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createKernelInspector } from '../../../src/adapters/kernels/inspector.ts';
import { bzImage, elfKernel } from '../../support/kernel-files.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const inspector = createKernelInspector();

async function file(content: string | Uint8Array): Promise<string> {
  const path = join(await makeTempDir(), 'file');
  writeFileSync(path, content);
  return path;
}

describe('inspectKernel', () => {
  test('a bzImage tells its version', async () => {
    const path = await file(bzImage({ version: '6.1.0-18-amd64' }));
    expect(await inspector.inspectKernel(path)).toEqual({ format: 'bzimage', version: '6.1.0-18-amd64' });
  });

  test('one that was cut off is refused with both sizes', async () => {
    const path = await file(bzImage().subarray(0, -10));
    await expect(inspector.inspectKernel(path)).rejects.toMatchObject({
      code: 'KERNEL_INVALID',
      message: expect.stringMatching(/1590 of 1600 bytes/),
    });
  });

  test('a vmlinux tells its version, wherever its banner lies', async () => {
    const banner = Buffer.from('\0Linux version 6.6.7-custom (me@here) (gcc)\0');
    // Across the border of two chunks of the search.
    const padding = Buffer.alloc(2 ** 20 - elfKernel().length - 20);
    const path = await file(Buffer.concat([elfKernel(), padding, banner, Buffer.alloc(5000)]));
    expect(await inspector.inspectKernel(path)).toEqual({ format: 'elf', version: '6.6.7-custom' });
  });

  test('a vmlinux without a banner is a kernel of no known version', async () => {
    expect(await inspector.inspectKernel(await file(elfKernel()))).toEqual({ format: 'elf', version: undefined });
  });

  test('an ordinary program of this host is refused', async () => {
    await expect(inspector.inspectKernel(process.execPath)).rejects.toMatchObject({ code: 'KERNEL_INVALID' });
  });

  test('a file that is not there, a folder, a pipe nobody writes to', async () => {
    const dir = await makeTempDir();
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    for (const [path, words] of [
      [join(dir, 'absent'), /cannot be read \(ENOENT\)/],
      [dir, /no regular file/],
      [join(dir, 'pipe'), /no regular file/],
    ] as const) {
      await expect(inspector.inspectKernel(path)).rejects.toMatchObject({
        code: 'KERNEL_INVALID',
        message: expect.stringMatching(words),
      });
    }
  });

  test('a real kernel of this host', async (context) => {
    const kernel = readdirSync('/boot').find((name) => name.startsWith('vmlinuz-'));
    if (kernel === undefined) return context.skip('no kernel is installed in /boot here');
    const found = await inspector.inspectKernel(join('/boot', kernel));
    expect(found).toEqual({ format: 'bzimage', version: kernel.slice('vmlinuz-'.length) });
  });
});

describe('inspectInitrd', () => {
  test('takes an archive that cpio made', async () => {
    await expect(inspector.inspectInitrd(await file(`070701${'0'.repeat(110)}`))).resolves.toBeUndefined();
  });

  test('refuses anything else by name', async () => {
    await expect(inspector.inspectInitrd(await file(bzImage()))).rejects.toMatchObject({
      code: 'INITRD_INVALID',
      details: { found: 'a kernel (bzImage)' },
    });
  });
});

describe('inspectModules', () => {
  async function tree(name: string, content: readonly string[]): Promise<string> {
    const dir = join(await makeTempDir(), name);
    mkdirSync(dir);
    for (const path of content) {
      mkdirSync(join(dir, path, '..'), { recursive: true });
      writeFileSync(join(dir, path), 'ELF\0license=GPL\0vermagic=6.1.0-18-amd64 SMP preempt mod_unload\0');
    }
    return dir;
  }

  test.each([
    ['a folder named after its version', '6.1.0-18-cloud-amd64', ['modules.dep'], '6.1.0-18-cloud-amd64'],
    ['one with kernel/ alone', '6.12.3', ['kernel/fs/a.ko.xz'], '6.12.3'],
    ['one of another name, by its first module', 'modules', ['modules.dep', 'kernel/net/b.ko'], '6.1.0-18-amd64'],
  ])('%s', async (_what, name, content, version) => {
    expect(await inspector.inspectModules(await tree(name, content))).toBe(version);
    expect(await inspector.inspectModules(`${await tree(name, content)}/`)).toBe(version);
  });

  test.each([
    ['a folder without modules', '6.1.0', ['readme'], /neither modules.dep nor kernel/],
    ['one that does not tell its version', 'modules', ['modules.dep'], /does not tell which kernel/],
    ['one whose modules are compressed', 'modules', ['kernel/a.ko.xz'], /does not tell which kernel/],
  ])('%s is refused', async (_what, name, content, words) => {
    await expect(inspector.inspectModules(await tree(name, content))).rejects.toMatchObject({
      code: 'MODULES_INVALID',
      message: expect.stringMatching(words),
    });
  });

  test('a folder that is not there, and a file, are refused', async () => {
    for (const path of ['/nonexistent/6.1.0', await file('')]) {
      await expect(inspector.inspectModules(path)).rejects.toMatchObject({ code: 'MODULES_INVALID' });
    }
  });
});
