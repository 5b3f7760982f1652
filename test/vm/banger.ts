/** banger as a person runs it: through `bin/banger`, in a home of the suite's own. */
import { join } from 'node:path';
import { inject } from 'vitest';
import type { Operation } from '../../src/contracts/operation.ts';
import { ProcessError, run } from '../../src/host/process.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** `BANGER_HOME` of the suite; it holds the first image, `debian`. */
    readonly bangerHome: string;
  }
}

export const LAUNCHER = join(import.meta.dirname, '..', '..', 'bin', 'banger');
const COMMAND_TIMEOUT_MS = 15 * 60_000;

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `banger ARGS`; a status other than 0 is a result, not an error. */
export async function banger(args: readonly string[], home = inject('bangerHome')): Promise<CommandResult> {
  try {
    const env = { BANGER_HOME: home, NO_COLOR: '1' };
    const { stdout, stderr } = await run([LAUNCHER, ...args], { env, timeoutMs: COMMAND_TIMEOUT_MS });
    return { status: 0, stdout, stderr };
  } catch (error) {
    if (!(error instanceof ProcessError) || error.exitStatus === undefined) throw error;
    return { status: error.exitStatus, stdout: error.stdout, stderr: error.stderr };
  }
}

/** Runs a command that must succeed. @returns its stdout. */
export async function ok(args: readonly string[], home?: string): Promise<string> {
  const result = await banger(args, home);
  if (result.status === 0) return result.stdout;
  throw new Error(`banger ${args.join(' ')} ended with ${result.status}\n${result.stderr}\n${result.stdout}`);
}

/** `banger ARGS --json`, parsed; the CLI checks what it prints by the schemas of the contracts. */
export async function json<Value>(args: readonly string[], home?: string): Promise<Value> {
  return JSON.parse(await ok([...args, '--json'], home)) as Value;
}

interface ErrorOutput {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly details?: Record<string, unknown>;
}

/** Runs a command that must be refused. @returns the error it printed; with several targets, that of the first. */
export async function refused(args: readonly string[]): Promise<ErrorOutput & { readonly status: number }> {
  const result = await banger([...args, '--json']);
  if (result.status === 0) throw new Error(`banger ${args.join(' ')} should have been refused\n${result.stdout}`);
  const printed = JSON.parse(result.stderr) as { error: ErrorOutput };
  return { ...printed.error, status: result.status };
}

/** Waits until the running operation on `target` is in a stage. Each look is a whole command, so nothing spins. */
export async function stageBegun(target: string, stage: string): Promise<Operation> {
  for (;;) {
    const operation = (await operations()).find((candidate) => candidate.target === target);
    const state = operation?.stages.find((candidate) => candidate.name === stage)?.state;
    if (operation && state === 'running') return operation;
    if (operation && operation.state !== 'running') {
      throw new Error(`The operation ended before ${stage}: ${operation.error?.message}`);
    }
  }
}

/** Operations, newest first. */
export function operations(): Promise<readonly Operation[]> {
  return json(['op', 'list']);
}
