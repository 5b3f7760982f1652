import { defineConfig } from 'vitest/config';
import { TierReporter } from './scripts/tier-reporter.ts';

const MINUTE_MS = 60_000;

/** Real machines, one at a time: guests are slow enough in software without company. */
const MACHINES = {
  globalSetup: ['test/vm/global-setup.ts'],
  fileParallelism: false,
  maxWorkers: 1,
  testTimeout: 20 * MINUTE_MS,
  hookTimeout: 20 * MINUTE_MS,
};

/**
 * Three tiers. `unit` is pure; `integration` uses real programs, sockets, namespaces; `vm` boots real machines through
 * `bin/banger`. A fourth, `kvm`, is for machines on which KVM works, and runs only where it is asked for: `bin/test --kvm`.
 * A test that cannot run here calls `context.skip('why')`: the reason is printed, and CI refuses skips in tier `vm`.
 */
export default defineConfig({
  test: {
    reporters: ['default', new TierReporter()],
    // Two cores: more workers only make deadlines tighter.
    maxWorkers: 2,
    passWithNoTests: false,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reportsDirectory: 'coverage' },
    projects: [
      {
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: MINUTE_MS },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: MINUTE_MS,
          hookTimeout: MINUTE_MS,
        },
      },
      {
        test: { name: 'vm', include: ['test/vm/**/*.test.ts'], ...MACHINES },
      },
      {
        test: { name: 'kvm', include: ['test/vm/engine-conformance/*.kvm.ts'], ...MACHINES },
      },
    ],
  },
});
