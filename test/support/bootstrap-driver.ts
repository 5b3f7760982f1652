/**
 * Bootstraps with a program in mmdebstrap's place, to be killed meanwhile:
 * `node bootstrap-driver.ts STAGING-FOLDER PROGRAM`. See test/integration/bootstrap/debian.test.ts.
 */
import { join } from 'node:path';
import { createDebianBootstrapper } from '../../src/adapters/bootstrap/debian.ts';
import { bootstrapRequestSchema } from '../../src/contracts/build.ts';

const [dir = '', mmdebstrapPath = ''] = process.argv.slice(2);
const { signal } = new AbortController();
const bootstrapper = createDebianBootstrapper({
  assets: { read: () => Promise.resolve({ content: new Uint8Array(), digest: '' }) },
  uid: process.getuid?.() ?? 0,
  apt: {},
  mmdebstrapPath,
});
const staged = {
  dir,
  rootfsPath: join(dir, 'rootfs.ext4'),
  kernelPath: join(dir, 'kernel'),
  initrdPath: join(dir, 'initrd'),
  modulesPath: join(dir, 'modules'),
};
const context = { signal, log: () => undefined, progress: () => undefined, note: () => undefined };
await bootstrapper.bootstrap(bootstrapRequestSchema.parse({}), staged, (_name, work) => work(context), signal);
