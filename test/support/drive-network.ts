/** Runs `network-driver.ts` in a namespace, so that a test never changes the host's network. */
import { fileURLToPath } from 'node:url';
import { run } from '../../src/host/process.ts';
import { inside } from './netns.ts';

const DRIVER = fileURLToPath(new URL('./network-driver.ts', import.meta.url));

export type DriverResult =
  | { readonly ok: unknown; readonly error?: never }
  | {
      readonly ok?: never;
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly hint: string;
        readonly details: Readonly<Record<string, unknown>>;
      };
    };

export interface DriveOptions {
  readonly mode?: 'isolated' | 'host';
  /** BANGER_HOME; needed for what concerns banger's own namespace. */
  readonly home?: string;
  /** Goes before the driver's argv, behind the entering of the namespace. */
  readonly prefix?: readonly string[];
}

export type DriverCall = readonly [string, ...unknown[]];

/** @returns each call's outcome; the last is the first that failed. */
export async function driveNetwork(
  namespace: string,
  calls: readonly DriverCall[],
  { mode = 'isolated', home = '/nonexistent', prefix = [] }: DriveOptions = {},
): Promise<DriverResult[]> {
  const work = JSON.stringify({ home, mode, calls });
  const [program, ...args] = [...prefix, process.execPath, DRIVER, work];
  const { stdout } = await run(inside(namespace, [program ?? '', ...args]));
  return JSON.parse(stdout) as DriverResult[];
}
