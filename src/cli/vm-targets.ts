/** Which VMs a command means: names, the beginnings of ids, patterns. Pure. */
import type { Vm } from '../contracts/vm.ts';
import { ClientError } from '../client/client-error.ts';
import { nearestWord } from '../contracts/nearest-word.ts';

export interface Targets {
  /** Each once, in the order they were first named. */
  readonly vms: readonly Vm[];
  /** What names none, or more than one where one is meant. */
  readonly problems: readonly ClientError[];
}

/** A word that is an id, or its beginning: `vm-1a2b` or `1a2b`; four digits at least, so that a short name is no id. */
const ID_PREFIX = /^(?:vm-)?([0-9a-f]{4,10})$/;
const SHOWN_NAMES = 20;

/**
 * @param words names first, then ids' beginnings; with `*`, `?` or `[` in it a word is a pattern over names.
 * @param listing every VM there is; asked for once, so that all words mean the same moment.
 */
export function resolveTargets(words: readonly string[], listing: readonly Vm[]): Targets {
  const found = new Map<string, Vm>();
  const problems: ClientError[] = [];
  for (const word of new Set(words)) {
    const meant = meantBy(word, listing);
    if (meant instanceof ClientError) problems.push(meant);
    else for (const vm of meant) found.set(vm.id, vm);
  }
  return { vms: [...found.values()], problems };
}

function meantBy(word: string, listing: readonly Vm[]): readonly Vm[] | ClientError {
  if (/[*?[]/.test(word)) {
    const pattern = globPattern(word);
    const matching = listing.filter((vm) => pattern.test(vm.name));
    return matching.length > 0 ? matching : unknown(`No VM's name matches "${word}".`, listing);
  }
  const named = listing.filter((vm) => vm.name === word);
  if (named.length > 0) return named;
  const digits = ID_PREFIX.exec(word)?.[1];
  const byId = digits === undefined ? [] : listing.filter((vm) => vm.id.startsWith(`vm-${digits}`));
  if (byId.length === 1) return byId;
  if (byId.length > 1) {
    const those = byId.map((vm) => `${vm.id} (${vm.name})`).join(', ');
    return new ClientError('VM_NOT_FOUND', `"${word}" is the beginning of several ids: ${those}.`, {
      hint: 'Give more of the id, or the name.',
    });
  }
  return unknown(
    `There is no VM "${word}".`,
    listing,
    nearestWord(
      word,
      listing.map((vm) => vm.name),
    ),
  );
}

function unknown(message: string, listing: readonly Vm[], nearest?: string): ClientError {
  const names = listing.map((vm) => vm.name);
  const all = `VMs there are: ${names.slice(0, SHOWN_NAMES).join(', ')}${names.length > SHOWN_NAMES ? ', ...' : ''}.`;
  const hint = names.length === 0 ? 'Create one: banger vm create' : all;
  return new ClientError('VM_NOT_FOUND', message, {
    hint: nearest === undefined ? hint : `Did you mean "${nearest}"?`,
  });
}

/** As a shell reads it: `*` any text, `?` one character, `[abc]` and `[a-c]` one of these, `[!abc]` none of them. */
export function globPattern(glob: string): RegExp {
  const source = glob.replaceAll(
    /\[(!?)([^\]]+)\]|[\s\S]/g,
    (part, not: string | undefined, members: string | undefined) => {
      if (members !== undefined) return `[${not ? '^' : ''}${members.replaceAll(/[\\^[\]]/g, String.raw`\$&`)}]`;
      if (part === '*') return '.*';
      if (part === '?') return '.';
      return part.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
    },
  );
  return new RegExp(`^${source}$`, 's');
}
