import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { waitUntilGone } from '../../../src/host/process-end.ts';
import { identifyProcess } from '../../../src/host/process-identity.ts';
import { waitForLine } from '../../support/process-evidence.ts';
import { type EngineBench, engineBench } from './engine-bench.ts';

const NEVER = new AbortController().signal;

/** A bench whose guest is this shell script; `$DIR` in it is the bench's own folder. */
async function scriptedBench(script: string): Promise<EngineBench & { readonly dir: string }> {
  const bench = await engineBench();
  const dir = dirname(bench.spec.consolePath);
  const guestScript = join(dir, 'guest.sh');
  writeFileSync(guestScript, `DIR='${dir}'\n${script}\n`);
  bench.fake.setPlan({ guestScript });
  return { ...bench, dir };
}

const WAITS_FOR_BUTTON = `
sleep 600 & sleeper=$!
trap 'kill $sleeper; echo powering off; exit 0' TERM
echo $$ >"$DIR/pid"
wait $sleeper
`;

test('a script plays the guest: it sees its machine, speaks on the console, ends it', async () => {
  const { engine, spec } = await scriptedBench(
    'echo "I am $FAKE_VM at $FAKE_TAP with $FAKE_MAC on $FAKE_DISK"; exit 2',
  );
  const machine = await engine.start(spec, NEVER);
  expect((await machine.exited).reason).toBe('guest-reset');
  const { nic } = spec;
  expect(readFileSync(spec.consolePath, 'utf8')).toContain(
    `I am ${spec.id} at ${nic.tapName} with ${nic.macAddress} on ${spec.drives[0]?.path}\n`,
  );
});

test('the power button reaches the script', async ({ signal }) => {
  const { engine, spec, dir } = await scriptedBench(WAITS_FOR_BUTTON);
  const machine = await engine.start(spec, NEVER);
  await waitForLine(join(dir, 'pid'), signal);
  await machine.pressPowerButton(NEVER);
  expect((await machine.exited).reason).toBe('guest-shutdown');
  expect(readFileSync(spec.consolePath, 'utf8')).toContain('powering off');
});

test('the script ends with its VMM, however that ends', async ({ signal }) => {
  const { engine, spec, dir } = await scriptedBench('echo $$ >"$DIR/pid"; exec sleep 600');
  const machine = await engine.start(spec, NEVER);
  const guest = await identifyProcess(Number(await waitForLine(join(dir, 'pid'), signal)));
  if (!guest) throw new Error('the guest’s script does not run');
  process.kill(machine.identity.pid, 'SIGKILL');
  await machine.exited;
  expect(await waitUntilGone(guest, 10_000)).toBe(true);
});
