import { globSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { judgeImport } from '../../support/import-table.ts';
import { findImports } from '../../support/source-scanner.ts';
import { REPOSITORY_ROOT, readSourceTree } from '../../support/source-tree.ts';

const files = [...readSourceTree('src'), ...readSourceTree('guest/agent')];
const imports = files.flatMap(({ path, source }) =>
  findImports(source).map((found) => ({ path, at: `${path}:${found.line}`, ...found })),
);

describe('the tree', () => {
  test('every TypeScript file of src and of the agent was read', () => {
    const onDisk = globSync(['src/**/*.ts', 'guest/agent/**/*.ts'], { cwd: REPOSITORY_ROOT });
    expect(files.length).toBe(onDisk.length);
    expect(files.length).toBeGreaterThan(30);
  });

  test('every layer has files, and their imports were seen', () => {
    for (const layer of ['contracts', 'core', 'host', 'adapters', 'client', 'cli', 'daemon', 'forwarder']) {
      expect(imports.filter((found) => found.path.startsWith(`src/${layer}/`)).length, layer).toBeGreaterThan(0);
    }
    expect(imports.filter((found) => found.path.startsWith('guest/agent/')).length).toBeGreaterThan(20);
    expect(imports.length).toBeGreaterThan(files.length);
  });

  test('every import is one that the table allows', () => {
    const wrong = imports.flatMap(({ path, at, specifier, typesOnly }) => {
      const complaint = judgeImport(path, specifier, typesOnly);
      return complaint === undefined ? [] : [`${at}: ${specifier}: ${complaint}`];
    });
    expect(wrong).toEqual([]);
  });

  test('every relative import names a file that exists', () => {
    const known = new Set(files.map((file) => file.path));
    const missing = imports
      .filter(({ specifier }) => specifier.startsWith('.'))
      .filter(({ path, specifier }) => !known.has(posix.join(posix.dirname(path), specifier)));
    expect(missing.map(({ at, specifier }) => `${at}: ${specifier}`)).toEqual([]);
  });

  test('nothing is handed on from another file: no barrels', () => {
    expect(imports.filter((found) => found.reExport).map((found) => found.at)).toEqual([]);
  });
});

describe('the table', () => {
  test.each([
    ['src/contracts/vm.ts', 'zod'],
    ['src/contracts/vm.ts', './name.ts'],
    ['src/core/vms/vm-service.ts', '../../contracts/vm.ts'],
    ['src/core/vms/vm-service.ts', '../images/ports.ts'],
    ['src/core/ids.ts', 'node:crypto'],
    ['src/host/process.ts', 'node:child_process'],
    ['src/host/paths.ts', 'node:path'],
    ['src/adapters/qemu/engine.ts', '../../core/vms/ports.ts'],
    ['src/adapters/qemu/engine.ts', './qmp.ts'],
    ['src/adapters/store/migrations/first.ts', '../database.ts'],
    ['src/adapters/store/database.ts', 'node:sqlite'],
    ['src/adapters/ssh/guest-shell.ts', 'ssh2'],
    ['src/forwarder/dns-answer.ts', 'dns-packet'],
    ['src/forwarder/main.ts', '../host/line-stream.ts'],
    ['src/client/api-client.ts', '../host/paths.ts'],
    ['src/cli/commands/vm-run.ts', '../../client/api-client.ts'],
    ['src/cli/main.ts', '@bomb.sh/tab/commander'],
    ['src/daemon/server.ts', 'hono/streaming'],
    ['src/daemon/compose.ts', '../adapters/qemu/engine.ts'],
    ['src/daemon/compose-engines.ts', '../adapters/qemu/driver.ts'],
    ['guest/agent/stages.ts', './sys.ts'],
    ['guest/agent/proc/socket-owners.ts', '../sys.ts'],
    ['guest/agent/stages.ts', '../../src/contracts/agent.ts'],
    ['guest/agent/quickjs-sys.ts', 'qjs:os'],
  ])('%s may import %s', (file, specifier) => {
    expect(judgeImport(file, specifier)).toBeUndefined();
  });

  test.each([
    ['src/contracts/vm.ts', 'node:crypto'],
    ['src/contracts/vm.ts', 'hono'],
    ['src/contracts/vm.ts', '../core/app-error.ts'],
    ['src/core/vms/vm-service.ts', 'node:fs'],
    ['src/core/vms/vm-service.ts', 'fs/promises'],
    ['src/core/vms/vm-service.ts', 'node:net'],
    ['src/core/vms/vm-service.ts', 'node:child_process'],
    ['src/core/vms/vm-service.ts', 'semver'],
    ['src/core/vms/vm-service.ts', '../../host/process.ts'],
    ['src/core/vms/vm-service.ts', '../../adapters/qemu/engine.ts'],
    ['src/core/vms/vm-service.ts', '../../daemon/config.ts'],
    ['src/host/paths.ts', 'node:child_process'],
    ['src/host/paths.ts', '../contracts/name.ts'],
    ['src/host/paths.ts', 'ssh2'],
    ['src/adapters/qemu/engine.ts', '../ssh/guest-shell.ts'],
    ['src/adapters/qemu/engine.ts', '../../daemon/config.ts'],
    ['src/adapters/qemu/engine.ts', '../../core/vms/vm-service.ts'],
    ['src/adapters/qemu/engine.ts', 'node:child_process'],
    ['src/adapters/qemu/engine.ts', 'node:sqlite'],
    ['src/adapters/qemu/engine.ts', 'ssh2'],
    ['src/adapters/store/migrations/first.ts', '../../ssh/keys.ts'],
    ['src/adapters/store/image-repository.ts', 'node:sqlite'],
    ['src/forwarder/main.ts', '../core/app-error.ts'],
    ['src/forwarder/main.ts', 'zod'],
    ['src/adapters/forwarder/forwarder-link.ts', 'dns-packet'],
    ['src/client/api-client.ts', '../core/app-error.ts'],
    ['src/cli/main.ts', '../core/app-error.ts'],
    ['src/cli/main.ts', '../host/process.ts'],
    ['src/cli/main.ts', 'node:child_process'],
    ['src/daemon/server.ts', '../adapters/qemu/engine.ts'],
    ['src/daemon/server.ts', '../cli/output.ts'],
    ['src/daemon/server.ts', '../client/api-client.ts'],
    ['src/daemon/compose.ts', '../cli/output.ts'],
    ['src/daemon/compose.ts', 'node:sqlite'],
    ['src/daemon/server.ts', '../../test/support/temp-dir.ts'],
    ['src/daemon/server.ts', './config'],
    ['src/unknown/x.ts', 'node:fs'],
    ['src/core/vms/vm-service.ts', '../../../guest/agent/sys.ts'],
    ['guest/agent/stages.ts', 'node:fs'],
    ['guest/agent/stages.ts', 'fs'],
    ['guest/agent/stages.ts', 'zod'],
    ['guest/agent/stages.ts', 'qjs:os'],
    ['guest/agent/proc/quickjs-sys.ts', 'qjs:os'],
    ['guest/agent/stages.ts', './sys'],
    ['guest/agent/stages.ts', '../../src/contracts/agent-messages.ts'],
    ['guest/agent/stages.ts', '../../src/contracts/name.ts'],
    ['guest/agent/stages.ts', '../../src/core/undo.ts'],
  ])('%s may not import %s', (file, specifier) => {
    expect(judgeImport(file, specifier)).toEqual(expect.any(String));
  });

  test('the agent may take types of the messages', () => {
    const messages = '../../src/contracts/agent-messages.ts';
    expect(judgeImport('guest/agent/stages.ts', messages, true)).toBeUndefined();
    expect(judgeImport('guest/agent/stages.ts', '../../src/contracts/name.ts', true)).toEqual(expect.any(String));
  });
});
