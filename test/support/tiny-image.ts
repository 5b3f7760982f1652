/** An image that can be registered, small and made in a moment: what a fake guest needs, and a kernel that is none. */
import { chmod, mkdir, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../src/host/process.ts';

const IMAGE_BYTES = 24 * 2 ** 20;

/** Packages that it says it has. */
export const TINY_PACKAGES = ['bash 5.2.15-2', 'openssh-server 1:9.2p1-2'] as const;

const FILES: Readonly<Record<string, string>> = {
  'etc/passwd': [
    'root:x:0:0:root:/root:/bin/sh',
    'sshd:x:105:65534::/run/sshd:/usr/sbin/nologin',
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
    '',
  ].join('\n'),
  'etc/shadow': 'root:*:19000:0:99999:7:::\nsshd:!:19000::::::\nnobody:*:19000:0:99999:7:::\n',
  'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  'etc/hostname': 'tiny\n',
  'etc/machine-id': `${'ab'.repeat(16)}\n`,
  'etc/os-release': 'ID=debian\nVERSION_ID="12"\n',
  'etc/ssh/sshd_config': 'Include /etc/ssh/sshd_config.d/*.conf\nUsePAM no\nLogLevel VERBOSE\n',
  'root/.ssh/authorized_keys': '',
  'var/lib/dpkg/status': TINY_PACKAGES.map((line) => {
    const [name, version] = line.split(' ');
    return `Package: ${name}\nStatus: install ok installed\nVersion: ${version}\n`;
  }).join('\n'),
};

export interface TinyImage {
  readonly rootfsPath: string;
  readonly kernelPath: string;
}

/** Makes rootfs and kernel in a folder. As root: the files belong to whoever makes them. */
export async function makeTinyImage(dir: string): Promise<TinyImage> {
  const tree = join(dir, 'tree');
  const rootfsPath = join(dir, 'rootfs.ext4');
  const kernelPath = join(dir, 'vmlinuz');
  for (const [path, content] of Object.entries(FILES)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), content);
  }
  await chmod(join(tree, 'etc/shadow'), 0o640);
  await chmod(join(tree, 'root'), 0o700);
  await chmod(join(tree, 'root/.ssh'), 0o700);
  await writeFile(rootfsPath, '');
  await truncate(rootfsPath, IMAGE_BYTES);
  await run(['mkfs.ext4', '-q', '-F', '-d', tree, rootfsPath]);
  await writeFile(kernelPath, tinyBzImage());
  return { rootfsPath, kernelPath };
}

/** The header of a 64-bit bzImage (Documentation/arch/x86/boot.rst) and nothing behind it. */
function tinyBzImage(): Buffer {
  const setupSectors = 4;
  const head = Buffer.alloc((setupSectors + 1) * 512 + 16);
  head.writeUInt8(setupSectors, 0x1f1);
  head.writeUInt32LE(1, 0x1f4);
  head.write('HdrS', 0x202, 'latin1');
  head.writeUInt16LE(0x020f, 0x206);
  head.writeUInt16LE(0x300, 0x20e);
  head.writeUInt8(1, 0x211);
  head.writeUInt16LE(1, 0x236);
  head.write('6.1.0-tiny (nobody@nowhere) #1\0', 0x500, 'latin1');
  return head;
}
