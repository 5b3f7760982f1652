/** What quickstart says at its end: what there is now, how long each part took, and commands to go on with. */
import { isAbsolute, relative } from 'node:path';
import type { Operation } from '../../src/contracts/operation.ts';

export interface Step {
  readonly what: string;
  /** The operation that made it; undefined where it was there already. */
  readonly operation: Operation | undefined;
}

interface Summary {
  readonly steps: readonly Step[];
  readonly vm: string;
  readonly image: string;
  /** How `banger` is called from the user's shell, as `bangerCommand` has it. */
  readonly command: string;
  readonly tookMs: number;
}

/** The summary's lines. Every command stands on a line of its own, and can be pasted as it is. */
export function summaryLines({ steps, vm, image, command, tookMs }: Summary): readonly string[] {
  return [
    ...steps.flatMap((step) => stepLines(step, command)),
    `all of it: ${seconds(tookMs)}`,
    '',
    'Try next:',
    `  ${command} vm ssh ${vm}`,
    `  ${command} vm run --rm --image ${image} -- cat /proc/version`,
    `  ${command} image history ${image}`,
    '',
  ];
}

function stepLines({ what, operation }: Step, command: string): readonly string[] {
  if (!operation) return [`${what}: was there already`];
  const stages = operation.stages.filter(({ state, durationMs }) => state === 'succeeded' && durationMs !== undefined);
  const totalMs = Date.parse(operation.endedAt ?? operation.createdAt) - Date.parse(operation.createdAt);
  return [
    `${what}: ${seconds(totalMs)}`,
    `  ${command} op show ${operation.id}`,
    ...stages.map(({ name, durationMs }) => `    ${name.padEnd(18)} ${seconds(durationMs ?? 0).padStart(9)}`),
  ];
}

/**
 * The words that call this very `banger`, with this very home, from the folder that the user is in.
 *
 * @param program absolute path of `bin/banger`.
 * @param home what BANGER_HOME says; a relative one is taken from the same folder.
 */
export function bangerCommand(program: string, cwd: string, home: string | undefined): string {
  const near = relative(cwd, program);
  const path = near.startsWith('..') || isAbsolute(near) ? program : near.includes('/') ? near : `./${near}`;
  return `${home ? `BANGER_HOME=${shellWord(home)} ` : ''}${shellWord(path)}`;
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

function shellWord(text: string): string {
  return /^[\w/.-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
