/**
 * The one check command: every gate, then every tier of tests, with the time of each, and a closing line
 * `N passed, N failed` that counts gates and tests alike.
 *
 * Gates take seconds and all run, so that one run shows everything; tests follow only behind green gates, and each tier
 * behind a green one before it. `npm run check -- lint types unit` runs only what is named; `--kvm` is tier `kvm`, which
 * needs a machine on which KVM works and is never run unasked.
 */
import { readFileSync, rmSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '../src/host/error-code.ts';
import { attach, run, ProcessError } from '../src/host/process.ts';
import { shellScripts } from './shell-scripts.ts';
import type { TierResults } from './tier-counts.ts';

const ROOT = join(import.meta.dirname, '..');
const RESULTS_DIR = join(ROOT, '.cache', 'check');
const GATE_TIMEOUT_MS = 5 * 60_000;

type Argv = readonly [string, ...string[]];

const GATES: readonly { readonly name: string; readonly argv: () => Argv }[] = [
  { name: 'format', argv: () => ['oxfmt', '--check', '.'] },
  { name: 'lint', argv: () => ['oxlint', '--deny-warnings', '.'] },
  { name: 'types', argv: () => ['tsc', '-p', '.'] },
  // It runs on QuickJS: nothing of Node's is there.
  { name: 'agent-types', argv: () => ['tsc', '-p', 'guest/agent'] },
  { name: 'unused', argv: () => ['knip'] },
  // What only a test still uses is dead all the same.
  {
    name: 'dead',
    argv: () => ['knip', '--config', 'knip.production.json', '--production', '--include', 'exports,files'],
  },
  { name: 'shell', argv: () => ['shellcheck', '--severity=style', ...shellScripts(ROOT)] },
  { name: 'docs', argv: () => ['node', 'scripts/generate-docs.ts', '--check'] },
];

const TIERS = ['unit', 'integration', 'vm', 'kvm'] as const;

interface StageOutcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly durationMs: number;
  /** What the time table shows beside it. */
  readonly note: string;
}

const known = [...GATES.map((gate) => gate.name), ...TIERS];
const asked = process.argv.slice(2).map((name) => (name === '--kvm' ? 'kvm' : name));
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`No such stage: ${unknown.join(', ')}. The stages are ${known.join(', ')}.\n`);
  process.exit(2);
}
const wanted = new Set(asked.length > 0 ? asked : known.filter((name) => name !== 'kvm'));
const outcomes: StageOutcome[] = [];

for (const gate of GATES) {
  if (wanted.has(gate.name)) outcomes.push(await runGate(gate.name, gate.argv()));
}
for (const tier of TIERS) {
  if (!wanted.has(tier)) continue;
  if (outcomes.some((outcome) => outcome.failed > 0)) {
    // In its place stands a failure: a tier that was not run must never look like one that passed.
    outcomes.push({ name: tier, passed: 0, failed: 1, durationMs: 0, note: 'not run: an earlier stage failed' });
    continue;
  }
  outcomes.push(await runTier(tier));
}
report(outcomes);

async function runGate(name: string, argv: Argv): Promise<StageOutcome> {
  const startedAt = performance.now();
  try {
    await run(argv, { cwd: ROOT, timeoutMs: GATE_TIMEOUT_MS });
    return { name, passed: 1, failed: 0, durationMs: performance.now() - startedAt, note: '' };
  } catch (error) {
    if (!(error instanceof ProcessError)) throw error;
    // What the tool itself said is enough, unless it never came to say anything.
    const why = error.failure === 'exit' ? '' : `${error.message}\n`;
    process.stdout.write(`--- ${name}: ${argv.slice(0, 4).join(' ')}\n${error.stdout}${error.stderr}${why}\n`);
    return { name, passed: 0, failed: 1, durationMs: performance.now() - startedAt, note: 'FAILED' };
  }
}

async function runTier(tier: (typeof TIERS)[number]): Promise<StageOutcome> {
  const startedAt = performance.now();
  const resultsFile = join(RESULTS_DIR, `${tier}.json`);
  mkdirSync(RESULTS_DIR, { recursive: true });
  rmSync(resultsFile, { force: true });
  process.env['BANGER_TIER_RESULTS'] = resultsFile;
  const exitStatus = await attach(['vitest', 'run', '--root', ROOT, '--project', tier]);
  const durationMs = performance.now() - startedAt;
  const { counts, unhandledErrors } = readResults(resultsFile, tier);
  const passed = counts?.passed ?? 0;
  const skipped = counts?.skips.length ?? 0;
  let failed = (counts?.failed ?? 0) + unhandledErrors;
  const notes = [`${counts?.files ?? 0} files`];
  if (skipped > 0) notes.push(`${skipped} skipped`);
  if (isRequired(tier) && (passed === 0 || (tier === 'vm' && skipped > 0))) {
    failed += 1;
    notes.push('SKIPPED WHERE IT MUST RUN');
  }
  // Whatever vitest found wrong and the counts do not show is still one failure; so is a tier that left no counts.
  if ((exitStatus !== 0 || counts === undefined) && failed === 0) failed = 1;
  return { name: tier, passed, failed, durationMs, note: notes.join(', ') };
}

/** CI names the tiers that its machine can run: `BANGER_REQUIRE_TIERS=unit,integration,vm`. */
function isRequired(tier: string): boolean {
  return (process.env['BANGER_REQUIRE_TIERS'] ?? '').split(',').includes(tier);
}

function readResults(
  path: string,
  tier: string,
): { readonly counts: TierResults[string] | undefined; readonly unhandledErrors: number } {
  try {
    const results = JSON.parse(readFileSync(path, 'utf8')) as { tiers: TierResults; unhandledErrors: number };
    return { counts: results.tiers[tier], unhandledErrors: results.unhandledErrors };
  } catch (error) {
    // No file: vitest ended before its first test. Its exit status says so too.
    if (hasCode(error, 'ENOENT')) {
      return { counts: undefined, unhandledErrors: 0 };
    }
    throw error;
  }
}

function report(stages: readonly StageOutcome[]): void {
  const total = (key: 'passed' | 'failed' | 'durationMs'): number => stages.reduce((sum, stage) => sum + stage[key], 0);
  const lines = stages.map((stage) => {
    const seconds = `${(stage.durationMs / 1000).toFixed(1)} s`;
    const counts = `${stage.passed} passed, ${stage.failed} failed`;
    return `  ${stage.name.padEnd(12)} ${seconds.padStart(9)}   ${counts}${stage.note ? `  (${stage.note})` : ''}`;
  });
  process.stdout.write(
    `\n${lines.join('\n')}\n  ${'all'.padEnd(12)} ${`${(total('durationMs') / 1000).toFixed(1)} s`.padStart(9)}\n\n`,
  );
  process.stdout.write(`${total('passed')} passed, ${total('failed')} failed\n`);
  process.exitCode = total('failed') > 0 ? 1 : 0;
}
