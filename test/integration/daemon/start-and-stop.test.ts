/** Daemons that start and stop at the same moment: the network namespace is whose the lock is. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';

let home: DaemonHome;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  home = await makeDaemonHome();
});

afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
});

beforeEach((context) => {
  needRoot(context);
});

/** For `intercept`: goes on once the file is there. */
function waitFor(file: string): string {
  return `while [ ! -e '${file}' ]; do sleep 0.02; done`;
}

test('a daemon that starts while another takes the namespace away is not caught without it', async () => {
  await home.start();
  const [stopGoesOn, startGoesOn] = [join(home.dir, 'stop-goes-on'), join(home.dir, 'start-goes-on')];
  const removing = await home.tools.intercept('ip', waitFor(stopGoesOn), 'netns delete');
  const stop = home.banger('daemon', 'stop');
  await removing.called;
  // It does not answer any more, and the namespace is there still. Held where it has the namespace and enters it next,
  // or, since the other has the lock, before it can have any.
  const making = await home.tools.intercept('ip', waitFor(startGoesOn), 'dev lo up');
  const locking = await home.tools.intercept('flock', 'true');
  const start = home.banger('daemon', 'start');
  await Promise.race([making.called, locking.called]);
  await writeFile(stopGoesOn, '');
  expect(await stop).toMatchObject({ exitStatus: 0 });
  await writeFile(startGoesOn, '');
  expect(await start).toMatchObject({ exitStatus: 0, stderr: '' });
  expect((await home.state()).links).not.toEqual(['absent']);
  await home.banger('daemon', 'stop');
});

test('of several that start together one wins, all are told so, and there is one network', async () => {
  const starts = await Promise.all([1, 2, 3].map(() => home.banger('daemon', 'start', '--json')));
  expect(starts).toMatchObject(starts.map(() => ({ exitStatus: 0, stderr: '' })));
  const pids = starts.map(({ stdout }) => (JSON.parse(stdout) as { pid: number }).pid);
  expect(new Set(pids).size).toBe(1);
  const { processes } = await home.state();
  expect(processes.filter((line) => line.startsWith('pasta '))).toHaveLength(1);
  expect(processes.filter((line) => line.includes('daemon/main.ts'))).toHaveLength(1);
});
