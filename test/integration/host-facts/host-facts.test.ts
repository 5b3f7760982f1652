import { chmod, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { inspectDatabase } from '../../../src/adapters/host-facts/database-header.ts';
import { probeDevice } from '../../../src/adapters/host-facts/device-probe.ts';
import { HostFactsCollector } from '../../../src/adapters/host-facts/host-facts.ts';
import { openDatabase } from '../../../src/adapters/store/open-database.ts';
import type { DnsStatus } from '../../../src/contracts/dns.ts';
import { MIGRATIONS } from '../../../src/adapters/store/migrations/all-migrations.ts';
import { loadConfig } from '../../../src/daemon/config.ts';
import type { EngineFact } from '../../../src/core/doctor/engine-checks.ts';
import { runDoctor } from '../../../src/daemon/doctor.ts';
import { resolvePaths } from '../../../src/host/paths.ts';
import { run } from '../../../src/host/process.ts';
import { makeTempDir } from '../../support/temp-dir.ts';

const uid = process.getuid?.() ?? 0;
const collector = new HostFactsCollector({ uid, knownSchemaVersion: MIGRATIONS.length });

/** What the host's resolver is told is another test's affair. */
const names = (): Promise<DnsStatus> =>
  Promise.resolve({ zone: 'vm', server: { address: '127.77.0.9', port: 5377 }, answers: false, resolves: false });

describe('the database, looked at from outside', () => {
  test('one of ours, while it is open', async () => {
    const path = join(await makeTempDir(), 'state.db');
    using database = openDatabase(path);
    expect(['ours', 'unsettled']).toContain((await inspectDatabase(path, MIGRATIONS.length)).state);
    database.close();
    expect(await inspectDatabase(path, 9)).toEqual({
      state: 'ours',
      schemaVersion: MIGRATIONS.length,
      knownVersion: 9,
    });
  });

  test('is not made, and nothing is laid beside it', async () => {
    const dir = await makeTempDir();
    expect(await inspectDatabase(join(dir, 'state.db'), 1)).toEqual({ state: 'absent' });
    openDatabase(join(dir, 'state.db')).close();
    const before = await readdir(dir);
    await inspectDatabase(join(dir, 'state.db'), 1);
    expect(await readdir(dir)).toEqual(before);
  });

  test('what is not ours is told apart', async () => {
    const dir = await makeTempDir();
    await writeFile(join(dir, 'text'), 'hello '.repeat(100));
    await writeFile(join(dir, 'empty'), '');
    const other = new DatabaseSync(join(dir, 'other'));
    other.exec('PRAGMA application_id = 7; CREATE TABLE t (x)');
    other.close();
    expect(await inspectDatabase(join(dir, 'text'), 1)).toMatchObject({ state: 'foreign' });
    expect(await inspectDatabase(join(dir, 'empty'), 1)).toMatchObject({ state: 'unsettled' });
    expect(await inspectDatabase(join(dir, 'other'), 1)).toMatchObject({ state: 'foreign' });
    expect(await inspectDatabase(dir, 1)).toMatchObject({ state: 'unreadable' });
  });
});

test('probeDevice', async () => {
  expect(await probeDevice('/dev/null')).toBe('usable');
  expect(await probeDevice('/dev/banger-no-such-device')).toBe('missing');
  expect(await probeDevice('/dev')).toBe('broken');
});

const engines = (): Promise<readonly EngineFact[]> =>
  Promise.resolve([{ name: 'qemu', refusal: undefined, finding: undefined }]);

describe('the host itself', () => {
  test('is examined without a trace', async ({ signal }) => {
    const home = join(await makeTempDir(), 'home');
    const paths = resolvePaths({ BANGER_HOME: home }, uid);
    const report = await runDoctor({ topic: 'all', paths, loadConfig, inspector: collector, names, engines }, signal);
    expect(report.checks.find((check) => check.name === 'iproute2')).toMatchObject({ outcome: 'ok' });
    expect(report.checks.find((check) => check.name === 'state-folder')?.message).toContain(home);
    expect(report.ok).toBe(report.checks.every((check) => check.outcome !== 'failed'));
    await expect(readdir(home)).rejects.toMatchObject({ code: 'ENOENT' });
    // What was tried in namespaces of its own is not here.
    expect((await run(['ip', '-brief', 'link'])).stdout).not.toContain('trial0');
  });

  test('a config with a bad key is one failed check among the others', async ({ signal }) => {
    const home = await makeTempDir();
    const paths = resolvePaths({ BANGER_HOME: home }, uid);
    await mkdir(join(home, 'config'));
    await writeFile(paths.configFile, 'log_level = "info"\ncolour = "red"\n');
    const report = await runDoctor({ topic: 'vm', paths, loadConfig, inspector: collector, names, engines }, signal);
    expect(report.ok).toBe(false);
    const config = report.checks.find((check) => check.name === 'config');
    expect(config).toMatchObject({ outcome: 'failed' });
    expect(config?.message).toContain(`${paths.configFile}:2:1: colour`);
    expect(report.checks.length).toBeGreaterThan(10);
  });

  test('the runtime folder must be ours alone', async ({ signal }) => {
    const home = await makeTempDir();
    const paths = resolvePaths({ BANGER_HOME: home }, uid);
    const factOf = async () => {
      const { stateDir, runtimeDir, machinesDir, database } = paths;
      const request = { stateDir, runtimeDir, machinesDir, databasePath: database, qemuPath: undefined };
      return (await collector.inspect(request, signal)).runtimeDir.fact;
    };
    expect(await factOf()).toEqual({ state: 'absent' });
    await mkdir(paths.runtimeDir, { mode: 0o700 });
    expect(await factOf()).toEqual({ state: 'safe' });
    await chmod(paths.runtimeDir, 0o777);
    expect(await factOf()).toMatchObject({ state: 'unsafe', fix: `chmod 700 ${paths.runtimeDir}` });
    const linked = resolvePaths({ BANGER_HOME: join(home, 'other') }, uid);
    await mkdir(join(home, 'other'));
    await symlink(paths.runtimeDir, linked.runtimeDir);
    const request = { ...linked, databasePath: linked.database, qemuPath: undefined };
    expect((await collector.inspect(request, signal)).runtimeDir.fact).toMatchObject({ state: 'unsafe' });
  });

  test('the QEMU that the config names is the one that is examined', async ({ signal }) => {
    const home = await makeTempDir();
    const qemu = join(home, 'my-qemu');
    const { stateDir, runtimeDir, machinesDir, database } = resolvePaths({ BANGER_HOME: home }, uid);
    const inspect = async () =>
      (await collector.inspect({ stateDir, runtimeDir, machinesDir, databasePath: database, qemuPath: qemu }, signal))
        .programs['qemu-system-x86_64'];
    expect(await inspect()).toBeUndefined();
    await writeFile(qemu, '#!/bin/sh\necho QEMU emulator version 9.8.7\n', { mode: 0o755 });
    expect(await inspect()).toEqual({ path: qemu, version: '9.8.7' });
  });
});
