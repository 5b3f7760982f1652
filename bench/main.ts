/**
 * `npm run bench -- [FIGURE...] [--runs N] [--json FILE]`: what banger costs, from runs in turn on this machine, each
 * beside the same work done by hand. docs/bench.md says what each figure means.
 *
 * BANGER_BENCH_HOME names a home that is kept, so that the next bench finds the first image there.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { BANGER_VERSION } from '../src/contracts/version.ts';
import { describe } from '../src/core/app-error.ts';
import { Undo } from '../src/core/undo.ts';
import { type Banger, openHome } from './banger.ts';
import type { Bench } from './bench.ts';
import type { Figure, Series, Skip } from './figure.ts';
import { agent } from './figures/agent.ts';
import { build } from './figures/build.ts';
import { clone } from './figures/clone.ts';
import { daemonMemory } from './figures/daemon-memory.ts';
import { vmCp } from './figures/vm-cp.ts';
import { vmExec } from './figures/vm-exec.ts';
import { vmList } from './figures/vm-list.ts';
import { vmStart } from './figures/vm-start.ts';
import { prepareGuest } from './guest.ts';
import { load, machineFacts } from './machine-facts.ts';
import { RECORD_FORMAT, recordOf, reportLines } from './report.ts';

/** The quick ones first. */
const FIGURES: readonly Figure[] = [agent, vmList, daemonMemory, clone, vmExec, vmStart, build, vmCp];
/** For a first image, which is downloaded, and a first start. */
const PREPARE_BUDGET_MS = 15 * 60_000;
const PREPARE_USUAL_MS = 2.5 * 60_000;

interface Outcome {
  readonly figure: string;
  readonly parts: readonly (Series | Skip)[];
  /** Load average of the machine before and after. */
  readonly load: readonly [before: number, after: number];
  readonly failed: boolean;
}

interface Options {
  readonly figures: readonly Figure[];
  readonly runs: number | undefined;
  readonly jsonPath: string | undefined;
}

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    say(interrupt.signal.aborted ? 'cleaning up already' : `${signal}: cleaning up`);
    interrupt.abort(new Error(`interrupted by ${signal}`));
  });
}
const options = readOptions(process.argv.slice(2));
process.exitCode = await main(options, interrupt.signal);

async function main({ figures, runs, jsonPath }: Options, signal: AbortSignal): Promise<number> {
  say(announcement(figures));
  const undo = new Undo();
  let status = 0;
  try {
    const startedAt = new Date();
    const banger = await openHome(process.env['BANGER_BENCH_HOME'], undo, signal);
    const bench = makeBench(banger, undo, signal);
    const buildId = await bundledBuild(banger, signal);
    const outcomes: Outcome[] = [];
    for (const figure of figures) outcomes.push(await runFigure(figure, bench, { runs, signal }));
    if (outcomes.some(({ failed }) => failed)) status = 1;
    const sameBuild = (await banger.status(signal)).buildId === buildId;
    const facts = await machineFacts(signal);
    const measuredGuests = outcomes.some(({ figure, failed }) => !failed && needsGuest(figure));
    const accelerator = measuredGuests ? (await bench.guest()).vm.accelerator : undefined;
    print([
      '',
      ...reportLines(outcomes.flatMap(({ parts }) => parts)),
      '',
      `banger ${BANGER_VERSION} (${buildId}), ${facts.node}, ${facts.qemu ?? 'no QEMU'}${accelerator ? `, ${accelerator}` : ''}`,
      `${facts.processors} x ${facts.processor}, ${facts.system}, Linux ${facts.linux}`,
      `load average: ${outcomes.map((outcome) => `${outcome.figure} ${outcome.load.join(' to ')}`).join(', ')}`,
      ...(sameBuild ? [] : ['The sources were changed meanwhile: these figures are of more than one build.']),
    ]);
    if (jsonPath !== undefined) {
      const record = {
        format: RECORD_FORMAT,
        date: startedAt.toISOString(),
        banger: { version: BANGER_VERSION, buildId, sameBuild },
        machine: { ...facts, accelerator },
        figures: outcomes.map((outcome) => ({ ...outcome, parts: outcome.parts.map(recordOf) })),
      };
      await writeFile(jsonPath, `${JSON.stringify(record, undefined, 2)}\n`);
    }
  } catch (error) {
    status = signal.aborted ? 130 : 1;
    say(signal.aborted ? 'interrupted' : `failed: ${describe(error)}`);
  }
  for (const failure of await undo.run()) {
    say(failure.message);
    status ||= 1;
  }
  return status;
}

/** Image and guest are made when the first figure needs them, and serve all. */
function makeBench(banger: Banger, undo: Undo, signal: AbortSignal): Bench {
  const image = once(() => {
    say('making the first image, or finding it');
    return banger.ensureImage(signal);
  });
  const guest = once(async () => {
    if (process.getuid?.() !== 0) throw new Error('only root can make a network namespace by hand');
    const made = await image();
    say('starting a VM for the first time');
    return prepareGuest(banger, undo, { image: made, signal });
  });
  return { banger, image, guest, say };
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => (made ??= make());
}

/** A figure that fails, or whose time is up, does not keep the others from being taken. */
async function runFigure(
  figure: Figure,
  bench: Bench,
  { runs, signal }: { readonly runs: number | undefined; readonly signal: AbortSignal },
): Promise<Outcome> {
  const before = load();
  try {
    if (figure.needs === 'image') await bench.image();
    if (figure.needs === 'guest') await bench.guest();
    say(`${figure.name} (load average ${load()})`);
    const deadlineMs = performance.now() + figure.budgetMs;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(figure.budgetMs)]);
    const parts = await figure.measure(bench, { runs: runs ?? figure.runs, deadlineMs, signal: limit });
    return { figure: figure.name, parts, load: [before, load()], failed: false };
  } catch (error) {
    if (signal.aborted) throw error;
    say(`${figure.name} failed: ${describe(error)}`);
    const parts = [{ title: figure.name, skipped: describe(error) }];
    return { figure: figure.name, parts, load: [before, load()], failed: true };
  }
}

function needsGuest(name: string): boolean {
  return FIGURES.some((figure) => figure.name === name && figure.needs === 'guest');
}

/** Figures of unbundled sources would be of no use: they start slower and weigh more. */
async function bundledBuild(banger: Banger, signal: AbortSignal): Promise<string> {
  await banger.run(['daemon', 'start'], signal);
  const { buildId } = await banger.status(signal);
  if (!buildId.startsWith('bundle-')) {
    throw new Error(`banger runs from its sources (${buildId}): they changed since the bundle was made; try again`);
  }
  return buildId;
}

function announcement(figures: readonly Figure[]): string {
  const prepares = figures.some(({ needs }) => needs !== 'nothing');
  const total = (of: (figure: Figure) => number, prepare: number): number =>
    figures.reduce((sum, figure) => sum + of(figure), prepares ? prepare : 0);
  const usual = total(({ usualMs }) => usualMs, PREPARE_USUAL_MS);
  const atMost = total(({ budgetMs }) => budgetMs, PREPARE_BUDGET_MS);
  return `${figures.map(({ name }) => name).join(', ')}: about ${minutes(usual)}, at most ${minutes(atMost)}`;
}

function minutes(durationMs: number): string {
  return `${Math.ceil(durationMs / 60_000)} min`;
}

function readOptions(argv: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { json: { type: 'string' }, runs: { type: 'string' } },
  });
  const unknown = positionals.filter((name) => !FIGURES.some((figure) => figure.name === name));
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  if (unknown.length > 0)
    refuse(`no such figure: ${unknown.join(', ')}; there are ${FIGURES.map(({ name }) => name).join(', ')}`);
  if (runs !== undefined && !(Number.isInteger(runs) && runs > 0)) refuse('--runs takes a number from 1 on');
  const figures = FIGURES.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  return { figures, runs, jsonPath: values.json };
}

function refuse(message: string): never {
  say(message);
  process.exit(2);
}

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}
