/** banger as a person runs it: through `bin/banger`, from the bundle, in a home of the bench's own. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { type DaemonStatus, daemonStatusSchema } from '../src/contracts/daemon.ts';
import { type Image, imageSchema } from '../src/contracts/image.ts';
import { vmSchema } from '../src/contracts/vm.ts';
import type { Undo } from '../src/core/undo.ts';
import { type Paths, resolvePaths } from '../src/host/paths.ts';
import { run } from '../src/host/process.ts';

const ROOT = join(import.meta.dirname, '..');
export const LAUNCHER = join(ROOT, 'bin', 'banger');
/** The one image everything starts from. */
export const BASE_IMAGE = 'debian';
/** What the bench makes in a home begins with this, and goes at its end. */
export const OWN_PREFIX = 'bench-';
const COMMAND_TIMEOUT_MS = 10 * 60_000;
const BUNDLE_TIMEOUT_MS = 2 * 60_000;

export class Banger {
  readonly paths: Paths;
  readonly #home: string;

  constructor(home: string) {
    this.#home = home;
    this.paths = resolvePaths({ BANGER_HOME: home }, process.getuid?.() ?? 0);
  }

  /** @returns its stdout. @throws ProcessError where it fails, with its words. */
  async run(args: readonly string[], signal?: AbortSignal): Promise<string> {
    const env = { BANGER_HOME: this.#home, NO_COLOR: '1' };
    const options = { env, timeoutMs: COMMAND_TIMEOUT_MS, ...(signal && { signal }) };
    return (await run([LAUNCHER, ...args], options)).stdout;
  }

  async ask<Value>(schema: z.ZodType<Value>, args: readonly string[], signal?: AbortSignal): Promise<Value> {
    return schema.parse(JSON.parse(await this.run([...args, '--json'], signal)));
  }

  status(signal?: AbortSignal): Promise<DaemonStatus> {
    return this.ask(daemonStatusSchema, ['daemon', 'status'], signal);
  }

  /** Makes the first image where the home has none; that takes minutes and downloads packages. */
  async ensureImage(signal: AbortSignal): Promise<Image> {
    const images = await this.ask(imageSchema.array(), ['image', 'list'], signal);
    if (!images.some(({ name }) => name === BASE_IMAGE)) await this.run(['image', 'bootstrap', BASE_IMAGE], signal);
    return this.ask(imageSchema, ['image', 'show', BASE_IMAGE], signal);
  }

  /** Takes away what the bench made, and the daemon and its network with it. */
  async leave(): Promise<void> {
    if (!existsSync(this.paths.database)) return;
    // What an interrupted command had begun is cancelled by that, and undone.
    await this.run(['daemon', 'stop']);
    const vms = await this.ask(vmSchema.array(), ['vm', 'list']);
    for (const { name } of vms.filter(isOurs)) await this.run(['vm', 'delete', name]);
    const images = await this.ask(imageSchema.array(), ['image', 'list']);
    for (const { name } of images.filter(isOurs)) await this.run(['image', 'delete', name]);
    await this.run(['daemon', 'stop']);
  }
}

function isOurs({ name }: { readonly name: string }): boolean {
  return name.startsWith(OWN_PREFIX);
}

/**
 * Brings the bundle up to date and opens a home: the one of BANGER_BENCH_HOME, which is kept with its first image, or
 * one that goes with everything in it.
 */
export async function openHome(keptHome: string | undefined, undo: Undo, signal: AbortSignal): Promise<Banger> {
  await run([process.execPath, join(ROOT, 'scripts', 'bundle.ts')], { signal, timeoutMs: BUNDLE_TIMEOUT_MS });
  if (keptHome !== undefined) await mkdir(keptHome, { recursive: true, mode: 0o700 });
  const home = await realpath(keptHome ?? (await mkdtemp(join(tmpdir(), 'bgr-bench-'))));
  if (keptHome === undefined) undo.add(`folder ${home}`, () => rm(home, { recursive: true, force: true }));
  const banger = new Banger(home);
  undo.add(`what lives in ${home}`, () => banger.leave());
  await banger.leave();
  return banger;
}
