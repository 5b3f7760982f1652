import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SOCKET_PATH_MAX_BYTES, fitsSocket, machineFiles, resolvePaths } from '../../../src/host/paths.ts';

describe('resolvePaths', () => {
  test('BANGER_HOME moves every root', () => {
    const paths = resolvePaths({ BANGER_HOME: '/srv/b', HOME: '/root', XDG_RUNTIME_DIR: '/run/user/0' }, 0);
    expect(paths).toMatchObject({
      homePath: '/srv/b',
      configFile: '/srv/b/config/config.toml',
      database: '/srv/b/state/state.db',
      cacheDir: '/srv/b/cache',
      daemonSocket: '/srv/b/run/banger.sock',
    });
    for (const [key, value] of Object.entries(paths)) {
      if (key !== 'namespaceName') expect(value, key).toMatch(/^\/srv\/b(\/|$)/);
    }
  });

  test('without it, the folders of the XDG specification', () => {
    const env = {
      HOME: '/home/ann',
      XDG_CONFIG_HOME: '/c',
      XDG_STATE_HOME: '/s',
      XDG_CACHE_HOME: '/k',
      XDG_RUNTIME_DIR: '/run/user/7',
    };
    expect(resolvePaths(env, 7)).toMatchObject({
      configFile: '/c/banger/config.toml',
      stateDir: '/s/banger',
      cacheDir: '/k/banger',
      runtimeDir: '/run/user/7/banger',
    });
  });

  test('the defaults of the specification, and a runtime folder for each user', () => {
    expect(resolvePaths({ HOME: '/home/ann' }, 7)).toMatchObject({
      configFile: '/home/ann/.config/banger/config.toml',
      stateDir: '/home/ann/.local/state/banger',
      cacheDir: '/home/ann/.cache/banger',
      runtimeDir: '/tmp/banger-runtime-7',
    });
  });

  test.each(['', 'relative/folder', './x'])('a root of %j is ignored, as the specification asks', (value) => {
    const env = { HOME: '/home/ann', XDG_STATE_HOME: value, XDG_RUNTIME_DIR: value, BANGER_HOME: '' };
    expect(resolvePaths(env, 7)).toEqual(resolvePaths({ HOME: '/home/ann' }, 7));
  });

  test('a relative BANGER_HOME means the same folder wherever it is read', () => {
    const paths = resolvePaths({ BANGER_HOME: 'b' }, 0);
    expect(paths.homePath).toBe(`${process.cwd()}/b`);
    expect(resolvePaths({ BANGER_HOME: `${process.cwd()}/b/` }, 0)).toEqual(paths);
  });

  test('each instance has a namespace of its own, with a name that an interface could bear', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^\/[a-z]{1,20}$/), fc.stringMatching(/^\/[a-z]{1,20}$/), (one, other) => {
        const name = resolvePaths({ BANGER_HOME: one }, 0).namespaceName;
        expect(name).toMatch(/^banger-[0-9a-f]{8}$/);
        expect(name === resolvePaths({ BANGER_HOME: other }, 0).namespaceName).toBe(one === other);
      }),
    );
  });
});

describe('fitsSocket', () => {
  test.each([
    [SOCKET_PATH_MAX_BYTES, true],
    [SOCKET_PATH_MAX_BYTES + 1, false],
  ])('%i bytes: %s', (size, expected) => {
    expect(fitsSocket('/'.padEnd(size, 'x'))).toBe(expected);
  });

  test('bytes are counted, not characters', () => {
    expect(fitsSocket(`/${'å'.repeat(53)}`)).toBe(true);
    expect(fitsSocket(`/${'å'.repeat(54)}`)).toBe(false);
  });

  test('a VM’s socket fits below the default runtime folder', () => {
    const { machinesDir } = resolvePaths({ HOME: '/home/ann' }, 4_294_967_294);
    expect(fitsSocket(machineFiles('/state/vm', `${machinesDir}/vm-0123456789`).controlSocket)).toBe(true);
  });
});
