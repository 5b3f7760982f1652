/** Where in a TOML text each key stands: smol-toml gives values, and positions for its own errors only. */

export interface TomlPlace {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 code units, as editors count. */
  readonly column: number;
}

export type TomlPath = readonly (string | number)[];

/**
 * Finds the place of a key, or of an element of an array. Where the text does not have it, the nearest thing above
 * it that it has: a missing key is told by its table.
 *
 * @param text TOML that a parser has taken already; other text gives places of no meaning, and never throws.
 * @returns undefined where the text has nothing of the path.
 */
export function locateInToml(text: string, path: TomlPath): TomlPlace | undefined {
  const offsets = new TomlScanner(text).scan();
  for (let length = path.length; length > 0; length -= 1) {
    const offset = offsets.get(pathKey(path.slice(0, length)));
    if (offset !== undefined) return placeOf(text, offset);
  }
  return undefined;
}

function placeOf(text: string, offset: number): TomlPlace {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: offset - lineStart + 1 };
}

function pathKey(path: TomlPath): string {
  return JSON.stringify(path.map(String));
}

/** Walks the text once and notes where keys and elements begin. */
class TomlScanner {
  readonly #text: string;
  #at = 0;
  readonly #offsets = new Map<string, number>();
  /** Arrays of tables: how many elements each has so far. */
  readonly #tableCounts = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
  }

  scan(): ReadonlyMap<string, number> {
    let table: TomlPath = [];
    for (this.#skipBlank(); this.#at < this.#text.length; this.#skipBlank()) {
      const before = this.#at;
      if (this.#text[this.#at] === '[') table = this.#header();
      else this.#keyValue(table);
      // Text that is no TOML after all: on to the next line, so that the walk ends.
      if (this.#at === before) this.#skipLine();
    }
    return this.#offsets;
  }

  /** `[a.b]` or `[[a.b]]`. */
  #header(): TomlPath {
    const isArray = this.#text.startsWith('[[', this.#at);
    this.#at += isArray ? 2 : 1;
    const keys = this.#keys();
    let path: TomlPath = [];
    keys.forEach(({ key, offset }, index) => {
      path = [...path, key];
      this.#note(path, offset);
      const id = pathKey(path);
      if (isArray && index === keys.length - 1) this.#tableCounts.set(id, (this.#tableCounts.get(id) ?? 0) + 1);
      // A name that is an array of tables means its newest element.
      const count = this.#tableCounts.get(id);
      if (count !== undefined) {
        path = [...path, count - 1];
        this.#note(path, offset);
      }
    });
    this.#skipLine();
    return path;
  }

  /** `a.b = value`. */
  #keyValue(table: TomlPath): void {
    let path = table;
    for (const { key, offset } of this.#keys()) {
      path = [...path, key];
      this.#note(path, offset);
    }
    this.#skipSpace();
    if (this.#text[this.#at] !== '=') return;
    this.#at += 1;
    this.#skipSpace();
    this.#value(path);
  }

  /** A key with its dots; quoted parts lose their quotes. */
  #keys(): readonly { readonly key: string; readonly offset: number }[] {
    const keys: { key: string; offset: number }[] = [];
    for (;;) {
      this.#skipSpace();
      const offset = this.#at;
      const quoted = this.#text[offset] === '"' || this.#text[offset] === "'";
      if (quoted) this.#string();
      else this.#skipMatching(/[A-Za-z0-9_-]+/y);
      const raw = this.#text.slice(offset, this.#at);
      keys.push({ key: quoted ? unquote(raw) : raw, offset });
      this.#skipSpace();
      if (this.#text[this.#at] !== '.') return keys;
      this.#at += 1;
    }
  }

  #value(path: TomlPath): void {
    const first = this.#text[this.#at];
    if (first === '"' || first === "'") this.#string();
    else if (first === '[') this.#array(path);
    else if (first === '{') this.#inlineTable(path);
    else this.#skipMatching(/[^\s,\]}#][^,\]}#\n]*/y);
  }

  #array(path: TomlPath): void {
    this.#at += 1;
    for (let index = 0; ; index += 1) {
      this.#skipBlank();
      if (this.#closes(']')) return;
      const element = [...path, index];
      this.#note(element, this.#at);
      this.#value(element);
      this.#skipBlank();
      if (this.#text[this.#at] === ',') this.#at += 1;
      else if (this.#closes(']')) return;
      // No TOML after all.
      else return this.#skipLine();
    }
  }

  #inlineTable(path: TomlPath): void {
    this.#at += 1;
    for (;;) {
      this.#skipBlank();
      if (this.#closes('}')) return;
      const before = this.#at;
      this.#keyValue(path);
      this.#skipBlank();
      if (this.#text[this.#at] === ',') this.#at += 1;
      if (this.#at === before) return this.#skipLine();
    }
  }

  #closes(bracket: string): boolean {
    if (this.#at < this.#text.length && this.#text[this.#at] !== bracket) return false;
    this.#at += 1;
    return true;
  }

  /** Any of the four kinds of string. */
  #string(): void {
    const quote = this.#text[this.#at] ?? '"';
    const isLong = this.#text.startsWith(quote.repeat(3), this.#at);
    const end = isLong ? quote.repeat(3) : quote;
    this.#at += end.length;
    while (this.#at < this.#text.length && !this.#text.startsWith(end, this.#at)) {
      this.#at += quote === '"' && this.#text[this.#at] === '\\' ? 2 : 1;
    }
    this.#at += end.length;
    // A long string may end with quotes of its own: `""""` is one and the end.
    if (isLong) this.#skipMatching(quote === '"' ? /"{0,2}/y : /'{0,2}/y);
  }

  #note(path: TomlPath, offset: number): void {
    const id = pathKey(path);
    if (!this.#offsets.has(id)) this.#offsets.set(id, offset);
  }

  #skipSpace(): void {
    this.#skipMatching(/[ \t]+/y);
  }

  /** Spaces, newlines and comments. */
  #skipBlank(): void {
    this.#skipMatching(/(?:\s|#[^\n]*)+/y);
  }

  #skipLine(): void {
    this.#skipMatching(/[^\n]*\n?/y);
  }

  #skipMatching(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    this.#at += pattern.exec(this.#text)?.[0].length ?? 0;
  }
}

/** A literal string's content as it is; a basic string's escapes are nearly JSON's own. */
function unquote(raw: string): string {
  const content = raw.slice(1, -1);
  if (raw.startsWith("'")) return content;
  try {
    return String(JSON.parse(raw));
  } catch (error) {
    if (error instanceof SyntaxError) return content;
    throw error;
  }
}
