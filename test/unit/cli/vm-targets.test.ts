import { describe, expect, test } from 'vitest';
import { globPattern, resolveTargets } from '../../../src/cli/vm-targets.ts';
import { sampleVm } from '../../support/samples.ts';

const LISTING = [
  sampleVm({ id: 'vm-00aa000001', name: 'web-1' }),
  sampleVm({ id: 'vm-00aa000002', name: 'web-2' }),
  sampleVm({ id: 'vm-00bb000003', name: 'db' }),
  sampleVm({ id: 'vm-00cc000004', name: '00bb' }),
];

function names(...words: string[]): readonly string[] {
  return resolveTargets(words, LISTING).vms.map(({ name }) => name);
}

function problems(...words: string[]): readonly string[] {
  return resolveTargets(words, LISTING).problems.map(({ message }) => message);
}

describe('a word means', () => {
  test.each([
    { word: 'db', meant: ['db'] },
    { word: 'vm-00aa000001', meant: ['web-1'] },
    { word: 'vm-00cc', meant: ['00bb'] },
    { word: '00cc0', meant: ['00bb'] },
    { word: 'web-*', meant: ['web-1', 'web-2'] },
    { word: 'web-?', meant: ['web-1', 'web-2'] },
    { word: 'web-[2-9]', meant: ['web-2'] },
    { word: 'web-[!2]', meant: ['web-1'] },
    { word: '*', meant: ['web-1', 'web-2', 'db', '00bb'] },
  ])('$word: $meant', ({ word, meant }) => {
    expect(names(word)).toEqual(meant);
    expect(problems(word)).toEqual([]);
  });

  test('a VM of that name before one of such an id', () => {
    expect(names('00bb')).toEqual(['00bb']);
    expect(names('00bb0')).toEqual(['db']);
  });

  test('nothing where the beginning of an id is too short to be one', () => {
    expect(names('00c')).toEqual([]);
  });
});

test('each VM comes once, in the order in which it was first named', () => {
  expect(names('db', 'web-*', 'web-1', 'vm-00bb')).toEqual(['db', 'web-1', 'web-2']);
});

test('what means nothing is told of, and the others stay', () => {
  const { vms, problems: told } = resolveTargets(['web-3', 'db', 'x*', 'vm-00aa', 'db'], LISTING);
  expect(vms.map(({ name }) => name)).toEqual(['db']);
  expect(told).toMatchObject([
    { code: 'VM_NOT_FOUND', message: 'There is no VM "web-3".', hint: 'Did you mean "web-1"?' },
    {
      code: 'VM_NOT_FOUND',
      message: 'No VM\'s name matches "x*".',
      hint: expect.stringContaining('web-1, web-2') as string,
    },
    {
      message: '"vm-00aa" is the beginning of several ids: vm-00aa000001 (web-1), vm-00aa000002 (web-2).',
      hint: 'Give more of the id, or the name.',
    },
  ]);
});

test('where there is no VM at all, the hint says how to make one', () => {
  expect(resolveTargets(['box'], []).problems).toMatchObject([{ hint: 'Create one: banger vm create' }]);
});

test.each([
  ['a.c', 'abc', false],
  ['a.c', 'a.c', true],
  ['a+', 'aa', false],
  ['(a|b)*', 'a', false],
  ['[^a]', '^', true],
  ['[a\\]', '\\', true],
  ['[', '[', true],
])('the pattern %s and the text %s: %s', (glob, text, matches) => {
  expect(globPattern(glob).test(text)).toBe(matches);
});
