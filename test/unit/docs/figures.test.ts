/** Facts that the documents repeat from the sources: names on disk, versions of formats, deadlines of steps. */
import { describe, expect, test } from 'vitest';
import { MIGRATIONS } from '../../../src/adapters/store/migrations/all-migrations.ts';
import { buildRequestSchema, STEP_NAMES } from '../../../src/contracts/build.ts';
import { configSchema } from '../../../src/contracts/config.ts';
import { planBuild } from '../../../src/core/builds/build-plan.ts';
import { PRESETS } from '../../../src/core/builds/presets.ts';
import { imageFiles, machineFiles, resolvePaths } from '../../../src/host/paths.ts';
import { firstCells, readDocument } from '../../support/documents.ts';

describe('docs/on-disk.md', () => {
  const { text } = readDocument('docs/on-disk.md');
  const cells = firstCells(text).map((cell) => cell.replaceAll('`', '').replace(/\/$/, ''));

  test('has every path that banger knows', () => {
    const paths = resolvePaths({ BANGER_HOME: '/home' }, 0);
    const known = [
      ...Object.values<string>({ ...paths }),
      ...Object.values<string>(imageFiles(`${paths.imagesDir}/ID`)),
      ...Object.values<string>(machineFiles(`${paths.vmsDir}/ID`, `${paths.machinesDir}/ID`)),
    ]
      .filter((path) => path.startsWith('/home/'))
      .map((path) => path.slice('/home/'.length));
    expect(known.length).toBeGreaterThan(25);
    const roots = known.filter((path) => !path.includes('/'));
    expect(roots.filter((root) => !text.includes(`\`BANGER_HOME/${root}\``))).toEqual([]);
    expect(known.filter((path) => path.includes('/') && !cells.includes(path))).toEqual([]);
  });

  test('has the version of the database', () => {
    expect(text).toMatch(new RegExp(`^\\| database \\|.*\\| ${MIGRATIONS.length} \\|$`, 'm'));
  });
});

describe('docs/guide/building-images.md', () => {
  const rows = readDocument('docs/guide/building-images.md').text.split('\n');
  const everything = buildRequestSchema.parse({ from: 'debian', docker: true, modulesPath: '/m', userScript: 'true' });
  const { steps } = planBuild(everything, configSchema.parse({}), { authorizedKey: 'key', modulesVersion: '6.1.0' });

  test('has every step with its deadline', () => {
    expect(steps.map(({ name }) => name)).toEqual(STEP_NAMES);
    const expected = steps.map(({ name, timeoutMs }) => `${name}: ${inWords(timeoutMs)}`);
    const found = steps.map(({ name }) => {
      const row = rows.find((line) => line.startsWith(`| \`${name}\` | `) && line.split('|').length === 5);
      return `${name}: ${row?.split('|')[3]?.trim()}`;
    });
    expect(found).toEqual(expected);
  });

  test.each(Object.entries(PRESETS))('has the steps of preset %s', (name, preset) => {
    const row = rows.find((line) => line.startsWith(`| \`${name}\` | \`base\``)) ?? '';
    expect([...(row.split('|')[2] ?? '').matchAll(/`(\w+)`/g)].map(([, step]) => step)).toEqual(preset.steps);
  });
});

function inWords(timeoutMs: number): string {
  return timeoutMs < 60_000 ? `${timeoutMs / 1000} s` : `${timeoutMs / 60_000} min`;
}
