/** What real guests reach, by policy: a server and a name server stand in a namespace of the test beside banger's. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SetVmResult, Vm } from '../../src/contracts/vm.ts';
import { ipBatch, joinByVeth, listenInside, makeNamespace, runInside, serveNamesInside } from '../support/netns.ts';
import { banger, json, ok, refused } from './banger.ts';

const ONE = 'egress-one';
const TWO = 'egress-two';
const OUTSIDE = '198.51.100.1';
/** What the name server answers. */
const NAMED = '192.0.2.99';
/** Where guests ask, in banger's namespace; here it is the test's and not pasta's. */
const NAME_SERVER = '169.254.1.1';
const METADATA = '169.254.169.254';

const stack = new AsyncDisposableStack();
let namespace = '';

beforeAll(async () => {
  const create = ['--image', 'debian', '--cpus', '1', '--memory', '512M'];
  await ok(['vm', 'create', '--name', ONE, ...create, '--egress', `allow:deb.example.test,${OUTSIDE}`]);
  await ok(['vm', 'create', '--name', TWO, ...create]);
  namespace = (await json<{ namespaceName: string }>(['daemon', 'status'])).namespaceName;
  const outside = await makeNamespace(stack);
  await joinByVeth(
    { name: outside, device: 'egress0', address: `${OUTSIDE}/24` },
    { name: namespace, device: 'egress0', address: '198.51.100.2/24' },
  );
  // With the namespace of the test its end of the pair goes, and with that the other and its routes.
  for (const address of [NAMED, NAME_SERVER, METADATA]) await ipBatch(outside, `addr add ${address}/32 dev lo`);
  for (const address of [NAMED, NAME_SERVER, METADATA]) {
    await ipBatch(namespace, `route add ${address}/32 via ${OUTSIDE} dev egress0`);
  }
  await listenInside(outside, { address: '0.0.0.0', port: 80 }, stack);
  await serveNamesInside(outside, NAME_SERVER, stack);
});

afterAll(async () => {
  await stack.disposeAsync();
  await banger(['vm', 'delete', ONE, TWO]);
});

const show = (name: string): Promise<Vm> => json<Vm>(['vm', 'show', name]);

/** What a program in the guest gets of a TCP port: the greeting, else bash's words. */
async function reach(name: string, host: string, port = 80): Promise<string> {
  const script = `exec 3<>/dev/tcp/${host}/${port} && head -n 1 <&3`;
  const { stdout, stderr } = await banger(['vm', 'exec', name, '--', 'timeout', '10', 'bash', '-c', script]);
  return stdout.trim() || stderr.trim();
}

describe('a guest that may reach some hosts', () => {
  test('reaches an address that is allowed, at once, and no other', async () => {
    expect(await reach(ONE, OUTSIDE)).toBe('hello 198.51.100.2');
    expect(await reach(ONE, NAMED)).toContain('No route to host');
    expect(await reach(ONE, METADATA)).toContain('No route to host');
    expect(await reach(ONE, '10.77.0.1')).not.toContain('hello');
  });

  test('reaches a name that is allowed, and is told of no other', async () => {
    expect(await reach(ONE, 'deb.example.test')).toBe('hello 198.51.100.2');
    expect(await reach(ONE, 'other.example.test')).toContain('not known');
  });

  test('is shown with what it was refused', async () => {
    const { refused: seen, egress } = await show(ONE);
    expect(egress).toBe(`allow:${OUTSIDE},deb.example.test`);
    expect(seen?.connections).toBeGreaterThanOrEqual(2);
    expect(seen?.last).toBe('the name other.example.test');
    expect(await ok(['vm', 'show', ONE])).toMatch(
      /^refused: +\d+ connections; the last: the name other\.example\.test$/m,
    );
  });

  test('sends under no other address', async () => {
    const before = (await show(TWO)).address;
    await ok(['vm', 'exec', ONE, '--', 'ip', 'address', 'add', `${before}/32`, 'dev', 'eth0']);
    const script = `exec 3<>/dev/tcp/${OUTSIDE}/80 && head -n 1 <&3`;
    const route = `ip route add ${OUTSIDE}/32 via 10.77.0.1 src ${before} && timeout 5 bash -c '${script}'`;
    expect((await banger(['vm', 'exec', ONE, '--', route])).stdout).toBe('');
    await ok(['vm', 'exec', ONE, '--', `ip route del ${OUTSIDE}/32; ip address del ${before}/32 dev eth0`]);
    expect(await reach(ONE, OUTSIDE)).toBe('hello 198.51.100.2');
  });

  test('loses what it has at once when its policy is none', async () => {
    const { changes } = (await json<{ result: SetVmResult }>(['vm', 'set', ONE, '--egress', 'none'])).result;
    expect(changes).toMatchObject([{ what: 'egress', to: 'none', takesEffect: 'now' }]);
    expect(await reach(ONE, OUTSIDE)).toContain('No route to host');
    expect(await reach(ONE, 'deb.example.test')).not.toContain('hello');
  });
});

test('two guests reach each other while they are peers, and not before or after', async () => {
  const [one, two] = await Promise.all([show(ONE), show(TWO)]);
  expect(await reach(ONE, two.address, 22)).toContain('No route to host');
  await ok(['vm', 'set', ONE, '--peer', TWO]);
  expect((await show(TWO)).peers).toEqual([ONE]);
  expect(await reach(ONE, two.address, 22)).toMatch(/^SSH-2\.0/);
  expect(await reach(TWO, one.address, 22)).toMatch(/^SSH-2\.0/);
  await ok(['vm', 'set', TWO, '--no-peer']);
  expect((await show(ONE)).peers).toEqual([]);
  expect(await reach(ONE, two.address, 22)).toContain('No route to host');
  expect((await refused(['vm', 'set', ONE, '--peer', ONE])).code).toBe('REQUEST_INVALID');
});

test('a table that another tool flushes is put back while the guests run', async () => {
  await ok(['vm', 'set', ONE, '--egress', 'open']);
  await runInside(namespace, ['nft', 'flush', 'ruleset']);
  await expect.poll(() => reach(ONE, OUTSIDE), { timeout: 60_000 }).toBe('hello 198.51.100.2');
  expect(await reach(TWO, OUTSIDE)).toContain('No route to host');
});
