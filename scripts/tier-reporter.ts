/**
 * Vitest reporter: prints every skipped test with its reason, refuses skips that give none, and writes what a tier did
 * to the file that `BANGER_TIER_RESULTS` names, for scripts/check.ts to add up.
 */
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, SerializedError, TestModule, Vitest } from 'vitest/node';
import { type TierCounts, type TierResults, countTier } from './tier-counts.ts';

export class TierReporter implements Reporter {
  #root = '.';
  #filtered = false;

  onInit(vitest: Vitest): void {
    this.#root = vitest.config.root;
    // With `-t PATTERN` the tests that do not match are skipped too: their reason is the pattern.
    this.#filtered = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const tiers: TierResults = {};
    for (const module of modules) {
      const counts = (tiers[module.project.name] ??= emptyCounts());
      countTier(counts, {
        file: relative(this.#root, module.moduleId),
        errors: module.errors().length,
        suiteErrors: [...module.children.allSuites()].reduce((sum, suite) => sum + suite.errors().length, 0),
        tests: [...module.children.allTests()].map((test) => {
          const result = test.result();
          return {
            name: test.fullName,
            state: result.state,
            note: result.state === 'skipped' ? result.note : undefined,
            expectedSkip: this.#filtered,
          };
        }),
      });
    }
    const unnamed = Object.values(tiers).flatMap((tier) => tier.skips.filter((skip) => skip.reason === undefined));
    for (const [tier, counts] of Object.entries(tiers)) {
      for (const skip of counts.skips) {
        process.stdout.write(
          `skipped [${tier}] ${skip.test}: ${skip.reason ?? 'NO REASON GIVEN, which is a failure'}\n`,
        );
      }
    }
    if (unnamed.length > 0) process.exitCode = 1;
    const target = process.env['BANGER_TIER_RESULTS'];
    if (target) writeFileSync(target, JSON.stringify({ tiers, unhandledErrors: unhandledErrors.length }));
  }
}

function emptyCounts(): TierCounts {
  return { files: 0, passed: 0, failed: 0, skips: [] };
}
