import { describe, expect, test } from 'vitest';
import { hello, OUR_GENERATIONS, readGreeting } from '../../../../src/adapters/agent/greeting.ts';
import { AGENT_PROTOCOL, OLDEST_AGENT_PROTOCOL } from '../../../../src/contracts/agent.ts';
import { hostMessageSchema } from '../../../../src/contracts/agent-messages.ts';
import { AppError } from '../../../../src/core/app-error.ts';
import { FAKE_BOOT_ID } from '../../../fakes/agent/fake-agent-plan.ts';

const SESSION = '0123456789abcdef';
const WELCOME = {
  type: 'welcome',
  session: SESSION,
  protocol: 1,
  agent: '0.1.0',
  bootId: FAKE_BOOT_ID,
  stages: { agent: 3120 },
};
const ONE = { oldest: 1, newest: 1 };

test('the hello offers what this build speaks', () => {
  expect(OUR_GENERATIONS).toEqual({ oldest: OLDEST_AGENT_PROTOCOL, newest: AGENT_PROTOCOL });
  expect(hostMessageSchema.parse(hello(SESSION, { oldest: 2, newest: 4 }))).toEqual({
    type: 'hello',
    session: SESSION,
    oldest: 2,
    newest: 4,
  });
});

describe('a welcome', () => {
  test.each([
    [1, { oldest: 1, newest: 1 }],
    [1, { oldest: 1, newest: 2 }],
    [2, { oldest: 1, newest: 2 }],
    [2, { oldest: 2, newest: 5 }],
    [5, { oldest: 2, newest: 5 }],
  ])('in generation %i is one where we speak %o', (protocol, ours) => {
    expect(readGreeting({ ...WELCOME, protocol }, SESSION, ours)).toEqual({ ...WELCOME, protocol });
  });

  test.each([
    [2, { oldest: 1, newest: 1 }, /banger speaks generation 1 of the guest protocol, .* generation 2\.$/],
    [1, { oldest: 2, newest: 3 }, /banger speaks generations 2 to 3 of the guest protocol, .* generation 1\.$/],
  ])('in generation %i, which we did not offer (%o), is none', (protocol, ours, words) => {
    const error = readGreeting({ ...WELCOME, protocol }, SESSION, ours);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: 'AGENT_FAILED', message: expect.stringMatching(words) });
  });

  test('may say more than we know', () => {
    expect(readGreeting({ ...WELCOME, kernel: '6.1.0' }, SESSION, ONE)).toEqual(WELCOME);
  });

  test.each([
    ['without a boot id', { bootId: undefined }],
    ['with a version that is too long', { agent: 'x'.repeat(65) }],
    ['without stages', { stages: {} }],
    ['in a generation that is no number', { protocol: '1' }],
  ])('%s cannot be read, and none will come', (_, broken) => {
    expect(readGreeting({ ...WELCOME, ...broken }, SESSION, ONE)).toMatchObject({
      code: 'AGENT_FAILED',
      message: expect.stringContaining('cannot be read'),
    });
  });
});

describe('refused', () => {
  test.each([
    [{ oldest: 1, newest: 2 }, { oldest: 3, newest: 4 }, 'generations 1 to 2', 'generations 3 to 4', /newer banger/],
    [{ oldest: 2, newest: 2 }, { oldest: 1, newest: 1 }, 'generation 2', 'generation 1', /build it again/],
  ])('we speak %o, the agent %o: both are named', (ours, theirs, ourWords, theirWords, hint) => {
    const error = readGreeting({ type: 'refused', session: SESSION, ...theirs }, SESSION, ours);
    expect(error).toMatchObject({
      code: 'AGENT_FAILED',
      message: `banger speaks ${ourWords} of the guest protocol, the agent in the guest ${theirWords}.`,
      hint: expect.stringMatching(hint),
      details: { ours, theirs },
    });
  });
});

test.each([
  ['a welcome of another session', { ...WELCOME, session: 'fedcba9876543210' }],
  ['a refusal of another session', { type: 'refused', session: 'fedcba9876543210', oldest: 2, newest: 2 }],
  ['a welcome without a session', { type: 'welcome' }],
  ['an event', { type: 'event', event: 'stage', stage: 'ssh', sinceBootMs: 1 }],
  ['an event that bears our session', { type: 'event', session: SESSION }],
  ['a reply', { type: 'reply', id: 1, result: {} }],
  ['anything', {}],
])('%s belongs to an older session', (_, frame) => {
  expect(readGreeting(frame, SESSION, ONE)).toBeUndefined();
});
