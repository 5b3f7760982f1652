import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildRequestSchema } from '../../../src/contracts/build.ts';
import { checkRequest } from '../../../src/contracts/request-check.ts';
import { ADDRESSES } from '../../../src/contracts/addresses.ts';
import { ROUTES } from '../../../src/contracts/routes.ts';
import { BANGER_VERSION } from '../../../src/contracts/version.ts';

test.each([
  [{ from: 'base', packages: ['git', '-y'] }, 'PACKAGE_NAME_INVALID', 'packages.1: "-y": not a Debian package name'],
  [{ from: 'base', without: ['nosuch'] }, 'STEP_UNKNOWN', 'without.0: "nosuch"'],
  [{ from: 'base', sizeBytes: 12 }, 'SIZE_INVALID', 'sizeBytes: 12B is too small, the least is 64M'],
  [{ from: 'base', sizeBytes: 2 ** 50 }, 'SIZE_INVALID', 'is too large, the most is 16T'],
  [{ from: '../x' }, 'REQUEST_INVALID', 'from: "../x": a name is 1 to 63 characters'],
  [{ from: 'base', surprise: 1 }, 'REQUEST_INVALID', 'surprise'],
  [null, 'REQUEST_INVALID', 'expected object'],
])('refuses %j with %s', (request, code, message) => {
  const checked = checkRequest(buildRequestSchema, request);
  if (checked.ok) throw new Error('was taken');
  expect(checked.fault.code).toBe(code);
  expect(checked.fault.message).toContain(message);
});

test('fills in defaults', () => {
  const checked = checkRequest(buildRequestSchema, { from: 'base' });
  expect(checked).toMatchObject({ ok: true, value: { from: 'base', preset: 'dev', packages: [] } });
});

test('every route has an address and every address a route', () => {
  expect(Object.keys(ROUTES).toSorted()).toEqual(Object.keys(ADDRESSES).toSorted());
  for (const [name, address] of Object.entries(ADDRESSES))
    expect(ROUTES).toHaveProperty(name, expect.objectContaining(address));
});

test('the version is the package’s', () => {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  expect(manifest).toMatchObject({ version: BANGER_VERSION });
});
