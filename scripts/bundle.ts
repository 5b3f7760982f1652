/**
 * Makes dist/: the CLI, the daemon and its forwarder, each with the parts it loads when they are needed. `bin/banger` runs
 * it while it is fresh. Does nothing where the sources' content is that of the last bundle, `--force` apart.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin } from 'rolldown';
import { packageRoot, sourceFiles } from '../src/host/build-id.ts';

const ROOT = packageRoot();
const DIST = join(ROOT, 'dist');
const STAMP = join(DIST, 'stamp');
/** Programs that run may still load a part of an older bundle; after a day none does. */
const KEEP_OLD_PARTS_MS = 24 * 3600 * 1000;

mkdirSync(DIST, { recursive: true });
const work = join(DIST, `.new-${process.pid}`);
// Written before the first source is read: whatever changes later is newer than this.
const newStamp = join(DIST, `.stamp-${process.pid}`);
writeFileSync(newStamp, '');
try {
  const id = contentId();
  const previous = existsSync(join(DIST, 'build-id')) ? readFileSync(join(DIST, 'build-id'), 'utf8') : '';
  if (previous === id && existsSync(join(DIST, 'daemon.mjs')) && !process.argv.includes('--force')) {
    process.stdout.write(`bundle: up to date (${id})\n`);
  } else {
    const startedAt = performance.now();
    await bundle(id);
    publish(id);
    process.stdout.write(`bundle: ${id} made in ${Math.round(performance.now() - startedAt)} ms\n`);
  }
  renameSync(newStamp, STAMP);
} finally {
  rmSync(work, { recursive: true, force: true });
  rmSync(newStamp, { force: true });
}

/** Hash of every source's path and content, and of this script. */
function contentId(): string {
  const hash = createHash('sha256');
  for (const path of [...sourceFiles(ROOT), 'scripts/bundle.ts']) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(ROOT, path)))
      .update('\0');
  }
  return `bundle-${hash.digest('hex').slice(0, 12)}`;
}

async function bundle(id: string): Promise<void> {
  const common = {
    cwd: ROOT,
    platform: 'node',
    transform: { define: { BANGER_BUNDLE_ID: JSON.stringify(id) }, target: 'node24' },
    logLevel: 'warn',
  } as const;
  const minify = { compress: true, mangle: false, codegen: { removeWhitespace: true } } as const;
  await build({
    ...common,
    input: { cli: 'src/cli/main.ts' },
    plugins: [withoutExecutables()],
    // Measured: `vm list` starts a third faster than as ES modules, whose loader also loads more of Node itself.
    output: { dir: work, format: 'cjs', entryFileNames: '[name].cjs', chunkFileNames: 'cli-[name]-[hash].cjs', minify },
  });
  await build({
    ...common,
    input: { forwarder: 'src/forwarder/main.ts' },
    // It is to be small: this way Node's loader for ES modules stays out.
    output: { dir: work, format: 'cjs', entryFileNames: '[name].cjs', minify },
  });
  await build({
    ...common,
    input: { daemon: 'src/daemon/main.ts' },
    // ssh2 looks for native parts beside its own files.
    external: ['ssh2', 'cpu-features'],
    output: {
      dir: work,
      format: 'esm',
      entryFileNames: '[name].mjs',
      chunkFileNames: 'daemon-[name]-[hash].mjs',
      minify,
    },
  });
}

/** Commander can run subcommands that are programs of their own; ours are not, and node:child_process takes 2 ms. */
function withoutExecutables(): Plugin {
  const nothing = '\0no-child-process';
  return {
    name: 'without-executables',
    resolveId: (source, importer) =>
      source === 'node:child_process' && importer?.includes('/node_modules/commander/') ? nothing : undefined,
    load: (id) => (id === nothing ? 'export default {};' : undefined),
  };
}

/** Puts the parts in their place first and the programs last, each by a rename. */
function publish(id: string): void {
  const made = readdirSync(work);
  const isProgram = (name: string): boolean => ['cli.cjs', 'daemon.mjs', 'forwarder.cjs'].includes(name);
  for (const name of made.toSorted((a, b) => Number(isProgram(a)) - Number(isProgram(b)))) {
    renameSync(join(work, name), join(DIST, name));
  }
  writeFileSync(join(DIST, 'build-id'), id);
  for (const name of readdirSync(DIST)) {
    const old = Date.now() - statSync(join(DIST, name)).mtimeMs > KEEP_OLD_PARTS_MS;
    if (/\.[cm]js$/.test(name) && !made.includes(name) && old) rmSync(join(DIST, name), { force: true });
  }
}
