/** Every verb in every state of a VM: it acts, or says by the right code why it does not. Through the CLI, as people do. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../src/cli/command-table.ts';
import type { ErrorCode } from '../../../src/contracts/errors.ts';
import type { Operation } from '../../../src/contracts/operation.ts';
import { type DaemonHome, makeDaemonHome, needRoot } from '../../support/daemon-home.ts';
import type { HostState } from '../../support/host-state.ts';

const STATES = ['absent', 'creating', 'stopped', 'starting', 'running', 'stopping', 'failed'] as const;
type State = (typeof STATES)[number];

/** `same`: it succeeds and the VM is as it was; a state: it succeeds and that is the VM's; else the error's code. */
type Outcome = 'same' | State | ErrorCode;
type Outcomes = Readonly<Record<State, Outcome>>;

const NAME = 'box';
const OTHER_NAME = 'other';

const WHERE_IT_IS_IDLE = {
  absent: 'VM_NOT_FOUND',
  creating: 'VM_BUSY',
  stopped: 'same',
  starting: 'VM_BUSY',
  running: 'same',
  stopping: 'VM_BUSY',
  failed: 'same',
} as const satisfies Outcomes;

const WHERE_IT_RUNS: Outcomes = {
  absent: 'VM_NOT_FOUND',
  creating: 'VM_STATE_INVALID',
  stopped: 'VM_STATE_INVALID',
  starting: 'VM_STATE_INVALID',
  running: 'same',
  stopping: 'VM_STATE_INVALID',
  failed: 'VM_STATE_INVALID',
};

const EVERYWHERE: Outcomes = {
  absent: 'same',
  creating: 'same',
  stopped: 'same',
  starting: 'same',
  running: 'same',
  stopping: 'same',
  failed: 'same',
};

const WHERE_THE_NAME_IS_FREE: Outcomes = {
  absent: 'running',
  creating: 'NAME_TAKEN',
  stopped: 'NAME_TAKEN',
  starting: 'NAME_TAKEN',
  running: 'NAME_TAKEN',
  stopping: 'NAME_TAKEN',
  failed: 'NAME_TAKEN',
};

const VERBS: Readonly<Record<string, { readonly args: readonly string[]; readonly outcomes: Outcomes }>> = {
  'vm create': { args: ['--name', NAME, '--image', 'tiny'], outcomes: WHERE_THE_NAME_IS_FREE },
  'vm run': { args: ['--name', NAME, '--image', 'tiny', '--', 'true'], outcomes: WHERE_THE_NAME_IS_FREE },
  'vm list': { args: [], outcomes: EVERYWHERE },
  'vm show': { args: [NAME], outcomes: { ...EVERYWHERE, absent: 'VM_NOT_FOUND' } },
  'vm start': { args: [NAME], outcomes: { ...WHERE_IT_IS_IDLE, stopped: 'running', failed: 'running' } },
  'vm stop': { args: [NAME], outcomes: { ...WHERE_IT_IS_IDLE, running: 'stopped' } },
  'vm restart': { args: [NAME], outcomes: { ...WHERE_IT_IS_IDLE, stopped: 'running', failed: 'running' } },
  'vm kill': {
    args: [NAME],
    outcomes: { ...WHERE_IT_IS_IDLE, starting: 'stopped', running: 'stopped', stopping: 'stopped' },
  },
  'vm set': { args: [NAME, '--cpus', '2'], outcomes: WHERE_IT_IS_IDLE },
  'vm rename': { args: [NAME, OTHER_NAME], outcomes: WHERE_IT_IS_IDLE },
  'vm delete': {
    args: [NAME],
    outcomes: { ...WHERE_IT_IS_IDLE, stopped: 'absent', running: 'absent', failed: 'absent' },
  },
  'vm prune': { args: ['--yes'], outcomes: { ...EVERYWHERE, stopped: 'absent', failed: 'absent' } },
  'vm ssh': { args: [NAME, '--', 'true'], outcomes: WHERE_IT_RUNS },
  'vm exec': { args: [NAME, '--', 'true'], outcomes: WHERE_IT_RUNS },
  'vm cp': { args: ['FILE', `${NAME}:/tmp/file`], outcomes: WHERE_IT_RUNS },
  // The fake guest has no agent.
  'vm ports': { args: [NAME], outcomes: { ...WHERE_IT_RUNS, running: 'AGENT_UNREACHABLE' } },
  'vm stats': { args: [NAME], outcomes: { ...EVERYWHERE, absent: 'VM_NOT_FOUND' } },
  'vm logs': { args: [NAME], outcomes: { ...EVERYWHERE, absent: 'VM_NOT_FOUND' } },
  // Nothing was brought into it.
  'vm export': {
    args: [NAME, '/nowhere', '--output', 'PATCH'],
    outcomes: { ...WHERE_IT_RUNS, running: 'EXPORT_FAILED' },
  },
};

let home: DaemonHome;
let before: HostState;

beforeAll(async () => {
  if (process.getuid?.() !== 0) return;
  home = await makeDaemonHome();
  before = await home.begin();
  await writeFile(join(home.dir, 'FILE'), 'content');
});

afterAll(async () => {
  await home?.[Symbol.asyncDispose]();
});

beforeEach((context) => needRoot(context));

test('the table has every verb that there is', () => {
  expect(Object.keys(VERBS).toSorted()).toEqual(
    COMMANDS.map(({ words }) => words)
      .filter((words) => words.startsWith('vm '))
      .toSorted(),
  );
});

const CASES = STATES.flatMap((state) =>
  Object.entries(VERBS).map(([verb, { args, outcomes }]) => ({ state, verb, args, outcome: outcomes[state] })),
);

describe.each(STATES)('a VM that is %s', (state) => {
  test.each(CASES.filter((known) => known.state === state))('$verb: $outcome', async ({ verb, args, outcome }) => {
    await establish(state);
    const words = args.map((word) => (['FILE', 'PATCH'].includes(word) ? join(home.dir, word) : word));
    const beforeDashes = words.includes('--') ? words.indexOf('--') : words.length;
    const asked = [...words.slice(0, beforeDashes), '--json', ...words.slice(beforeDashes)];
    const { exitStatus, stdout, stderr } = await home.banger(...verb.split(' '), ...asked);
    const code = exitStatus === 0 ? undefined : codeIn(stderr);
    if (verb === 'vm rename' && code === undefined) await home.banger('vm', 'rename', OTHER_NAME, NAME);
    expect(code ?? succeeded(state, await stateNow()), `${stdout}${stderr}`).toBe(outcome);
  });
});

test('nothing is left of them all', async () => {
  await establish('absent');
  await home.expectState(before);
});

function succeeded(was: State, is: State): Outcome {
  return is === was ? 'same' : is;
}

/** Of the error that was printed; several targets have one each. */
function codeIn(stderr: string): string {
  return (JSON.parse(stderr) as { error: { code: string } }).error.code;
}

async function stateNow(): Promise<State> {
  const found = (await home.client.call('vmList', {})).find(({ name }) => name === NAME);
  return found === undefined ? 'absent' : (found.state as State);
}

/** Brings the VM into that state, from whichever it is in; where it is there already nothing is done. */
async function establish(state: State): Promise<void> {
  if ((await stateNow()) === state) return;
  await remove();
  if (state === 'absent') return;
  if (state === 'creating') {
    home.guest.setPlan({ silent: true });
    const operation = await home.client.call('vmCreate', { body: { name: NAME, image: 'tiny' } });
    return inStage(operation, 'ssh');
  }
  await home.perform('vmCreate', { body: { name: NAME, image: 'tiny', start: false } });
  if (state === 'stopped') return;
  if (state === 'starting') home.guest.setPlan({ silent: true });
  if (state === 'stopping') home.guest.setPlan({ ignoresPowerOff: true });
  const started = await home.client.call('vmStart', { params: { name: NAME } });
  if (state === 'starting') return inStage(started, 'ssh');
  await home.ended(started);
  if (state === 'stopping') {
    return inStage(await home.client.call('vmStop', { params: { name: NAME } }), 'power off');
  }
  if (state === 'failed') home.qemu.tell('crash');
  await expect.poll(stateNow, { timeout: 10_000 }).toBe(state);
}

async function remove(): Promise<void> {
  home.guest.setPlan({});
  for (const { id, state } of await home.client.call('operationList', {})) {
    if (state !== 'running') continue;
    await home.client.call('operationCancel', { params: { id } });
    await home.ended({ id });
  }
  if ((await stateNow()) !== 'absent') await home.perform('vmDelete', { params: { name: NAME } });
}

async function inStage(operation: Operation, stage: string): Promise<void> {
  await home.seen(
    operation,
    (event) => event.type === 'stage' && event.stage.name === stage && event.stage.state === 'running',
  );
}
