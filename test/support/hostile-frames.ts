/** What a hostile guest may send, by kind; made once and drawn from, since a million of them are needed. */
import { MAX_FRAME_BYTES } from '../../src/contracts/agent.ts';
import { readAgentFixture } from './agent-fixture.ts';
import type { SeededRandom } from './seeded-random.ts';

const VARIANTS = 2_000;
const KINDS = ['welcome', 'refused', 'event', 'reply', 'error', 'hello', 'request', 'toString', '__proto__', ''];
const FIELDS = [
  'type',
  'session',
  'protocol',
  'id',
  'result',
  'event',
  'stage',
  'stages',
  'ports',
  'listening',
  'message',
  'code',
  '__proto__',
  'constructor',
  'hasOwnProperty',
];
const NUMBERS = [
  '1e999',
  '-1e999',
  '9'.repeat(400),
  '-1',
  '1.5',
  '-0',
  '9007199254740993',
  '1E400',
  '0x10',
  '01',
  'NaN',
];

/** Lines without their newline, by what they are. */
export type HostileFrames = Readonly<Record<HostileKind, readonly Buffer[]>>;

export type HostileKind =
  | 'noise'
  | 'mutated'
  | 'wrong shape'
  | 'wrong fields'
  | 'wrong numbers'
  | 'nested'
  | 'many values'
  | 'reply to nothing'
  | 'overlong'
  | 'newer'
  | 'valid';

/** Kinds that no session counts against its agent. */
export const HARMLESS: readonly HostileKind[] = ['newer', 'valid'];
/** Kinds of which a hundred end a session; some variants are harmless by chance. */
export const HARMFUL: readonly HostileKind[] = [
  'noise',
  'mutated',
  'wrong shape',
  'wrong fields',
  'wrong numbers',
  'nested',
  'reply to nothing',
];

export function makeHostileFrames(random: SeededRandom): HostileFrames {
  const fixture = readAgentFixture(1);
  const valid = fixture.agent.map((message) => JSON.stringify(message));
  const events = valid.filter((text) => text.includes('"event"'));
  const variants = (make: () => string | Buffer, count = VARIANTS): Buffer[] =>
    Array.from({ length: count }, () => Buffer.from(make()));
  const reply = (id: string): string => `{"type":"${random.pick(['reply', 'error'])}","id":${id},"result":{}}`;
  return {
    noise: variants(() => noise(random, random.below(random.chance(0.05) ? 2_000 : 60))),
    mutated: variants(() => mutate(random, Buffer.from(random.pick(valid)))),
    'wrong shape': variants(() => JSON.stringify(anyValue(random, 5)) ?? 'undefined'),
    'wrong fields': variants(() => JSON.stringify({ ...asObject(anyValue(random, 4)), type: random.pick(KINDS) })),
    'wrong numbers': variants(() => random.pick(valid).replace(/\b\d+\b(?!")/, () => random.pick(NUMBERS))),
    nested: variants(() => nested(random, random.chance(0.02) ? random.below(10_000) : random.below(60)), 500),
    'many values': variants(
      () => `{"type":"event","event":"ports","ports":[${'{},'.repeat(random.below(20_000))}0]}`,
      20,
    ),
    'reply to nothing': variants(() =>
      reply(random.pick([...NUMBERS, '77', '4294967295', '"1"', 'null', '{}', '[1]'])),
    ),
    overlong: variants(() => Buffer.alloc(MAX_FRAME_BYTES + random.below(3), random.pick([0x20, 0x61, 0x7b])), 5),
    newer: variants(() => {
      if (random.chance(0.2)) return '';
      if (random.chance(0.5)) return random.pick(events).replace('{', `{"later":${random.below(9)},`);
      return JSON.stringify({
        type: 'event',
        event: random.pick(['moon', 'toString', 'Stage', '']),
        x: random.below(9),
      });
    }),
    valid: events.map((text) => Buffer.from(text)),
  };
}

/** Any bytes but a newline, which would make two lines of one. */
function noise(random: SeededRandom, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => (11 + random.below(255)) % 256));
}

/** The same with one to four bytes, or stretches, left out, added or changed. */
export function mutate(random: SeededRandom, frame: Buffer): Buffer {
  let mutant = frame;
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    const at = random.below(mutant.length);
    const head = mutant.subarray(0, at);
    switch (random.below(4)) {
      case 0:
        mutant = Buffer.concat([head, mutant.subarray(at + 1)]);
        break;
      case 1:
        mutant = Buffer.concat([head, noise(random, 1), mutant.subarray(at)]);
        break;
      case 2:
        mutant = Buffer.concat([head, noise(random, 1), mutant.subarray(at + 1)]);
        break;
      default:
        mutant = Buffer.concat([head, mutant.subarray(random.below(mutant.length))]);
    }
  }
  return mutant;
}

function anyValue(random: SeededRandom, depthLeft: number): unknown {
  switch (random.below(depthLeft > 0 ? 8 : 5)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.pick([0, -1, 1.5, 2 ** 53, 1e308, random.below(100)]);
    case 3:
      return random.pick(KINDS);
    case 4:
      return String.fromCharCode(random.below(0x10000)).repeat(random.below(20));
    case 5:
      return Array.from({ length: random.below(6) }, () => anyValue(random, depthLeft - 1));
    default:
      return Object.fromEntries(
        Array.from({ length: random.below(6) }, () => [random.pick(FIELDS), anyValue(random, depthLeft - 1)]),
      );
  }
}

function asObject(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : { value };
}

function nested(random: SeededRandom, depth: number): string {
  const [open, close] = random.pick([['[', ']'] as const, ['{"a":', '}'] as const]);
  const end = random.chance(0.5) ? close.repeat(depth) : '';
  return random.chance(0.5)
    ? `{"type":"event","event":"x","a":${open.repeat(depth)}1${end}}`
    : open.repeat(depth) + end;
}
