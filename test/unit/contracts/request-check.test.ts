import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { buildRequestSchema } from '../../../src/contracts/build.ts';
import { createVmRequestSchema } from '../../../src/contracts/vm.ts';
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
  [
    { from: 'base', sizeBytes: 64 * 2 ** 20 - 1 },
    'SIZE_INVALID',
    'sizeBytes: 67108863B is too small, the least is 64M',
  ],
  [{ from: 'base', stepTimeoutMs: 5 }, 'REQUEST_INVALID', 'stepTimeoutMs: 5 ms is too small, the least is 1000 ms'],
  [{ from: 'base', surprise: 1 }, 'REQUEST_INVALID', 'surprise: there is no such key; known keys: from, preset'],
  [{ from: 'base', packges: [] }, 'REQUEST_INVALID', 'packges: there is no such key; did you mean "packages"?'],
  [{}, 'REQUEST_INVALID', 'from: missing, text is expected'],
  [null, 'REQUEST_INVALID', 'null is given, an object is expected'],
])('refuses %j with %s', (request, code, message) => {
  const checked = checkRequest(buildRequestSchema, request);
  if (checked.ok) throw new Error('was taken');
  expect(checked.fault.code).toBe(code);
  expect(checked.fault.message).toContain(message);
});

test('a key that the schema does not have says nothing about the field of that name elsewhere', () => {
  const checked = checkRequest(createVmRequestSchema, { packages: [] });
  expect(checked).toMatchObject({ ok: false, fault: { code: 'REQUEST_INVALID' } });
});

test('however much is wrong, what is told is short', () => {
  const packages = Array.from({ length: 1000 }, () => '-y');
  const keys = Object.fromEntries(packages.map((_, index) => [`${'k'.repeat(5000)}${index}`, 1]));
  const checked = checkRequest(buildRequestSchema, { from: 'base', packages, ...keys });
  if (checked.ok) throw new Error('was taken');
  expect(checked.fault.details.issues).toHaveLength(20);
  expect(checked.fault.message).toMatch(/; and 1980 faults more$/);
  expect(checkRequest(buildRequestSchema, { from: 'base', ['k'.repeat(5000)]: 1 })).toMatchObject({
    fault: { message: expect.stringMatching(/^k{77}\.\.\.: there is no such key/) },
  });
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
