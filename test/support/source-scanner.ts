/** Reads TypeScript just far enough to know its imports and its bare code. Its own tests: test/unit/architecture. */

export interface FoundImport {
  readonly specifier: string;
  readonly line: number;
  /** `export ... from` hands on what another file owns. */
  readonly reExport: boolean;
  /** `import type`: nothing of it is left when the program runs. */
  readonly typesOnly: boolean;
}

/**
 * The source with comments and the contents of strings replaced by spaces; newlines stay, so offsets and line numbers do.
 * Code inside `${}` of a template is kept.
 */
export function blankOut(source: string): { readonly code: string; readonly strings: ReadonlyMap<number, string> } {
  const out: string[] = [];
  /** Offset of a string's opening quote, and what it holds. */
  const strings = new Map<number, string>();
  /** One entry for each template we are inside of: how many braces are open in its `${}`. */
  const templates: number[] = [];
  let index = 0;
  const blank = (until: number): void => {
    for (; index < until; index += 1) out.push(source[index] === '\n' ? '\n' : ' ');
  };
  const keep = (): void => {
    out.push(source[index] ?? '');
    index += 1;
  };
  const template = (): void => {
    const end = endOfTemplateChunk(source, index);
    blank(end.offset);
    if (end.expression) templates.push(0);
    else if (index < source.length) keep();
  };
  while (index < source.length) {
    const rest = source.slice(index, index + 2);
    const char = source[index] ?? '';
    if (rest === '//') blank(endOf(source, '\n', index));
    else if (rest === '/*') blank(endOf(source, '*/', index + 2) + 2);
    else if (char === "'" || char === '"') {
      const start = index;
      const end = endOfQuoted(source, index);
      strings.set(start, source.slice(start + 1, end));
      keep();
      blank(end);
      keep();
    } else if (char === '`') {
      keep();
      template();
    } else if (char === '/' && startsRegExp(out)) blank(endOfRegExp(source, index));
    else if (templates.length > 0 && char === '{') {
      templates[templates.length - 1] = (templates.at(-1) ?? 0) + 1;
      keep();
    } else if (templates.length > 0 && char === '}') {
      if (templates.at(-1) === 0) {
        templates.pop();
        blank(index + 1);
        template();
      } else {
        templates[templates.length - 1] = (templates.at(-1) ?? 0) - 1;
        keep();
      }
    } else keep();
  }
  return { code: out.join(''), strings };
}

/** Every module that a file names: `import`, `import()`, `export ... from`, `require()`. */
export function findImports(source: string): readonly FoundImport[] {
  const { code, strings } = blankOut(source);
  const found: FoundImport[] = [];
  for (const [offset, specifier] of strings) {
    const before = code.slice(Math.max(0, offset - 4000), offset);
    const statement = /(?:^|[;}\n])\s*(import|export)\b(\s+type\b)?[^;'"`]*\bfrom\s*$/.exec(before);
    const bare = /(?:^|[;}\n])\s*import\s*$/.test(before) || /\b(?:import|require)\s*\(\s*$/.test(before);
    if (!statement && !bare) continue;
    found.push({
      specifier,
      line: code.slice(0, offset).split('\n').length,
      reExport: statement?.[1] === 'export',
      typesOnly: statement?.[2] !== undefined,
    });
  }
  return found;
}

function endOf(source: string, mark: string, from: number): number {
  const end = source.indexOf(mark, from);
  return end < 0 ? source.length : end;
}

function endOfQuoted(source: string, start: number): number {
  let index = start + 1;
  while (index < source.length && source[index] !== source[start]) index += source[index] === '\\' ? 2 : 1;
  return index;
}

function endOfTemplateChunk(source: string, start: number): { readonly offset: number; readonly expression: boolean } {
  let index = start;
  while (index < source.length) {
    if (source[index] === '`') return { offset: index, expression: false };
    if (source.startsWith('${', index)) return { offset: index + 2, expression: true };
    index += source[index] === '\\' ? 2 : 1;
  }
  return { offset: index, expression: false };
}

/** A slash begins a regular expression where no value can have ended just before it. */
function startsRegExp(out: readonly string[]): boolean {
  const before = out.slice(-200).join('').trimEnd();
  return before === '' || /[([{,;=:!&|?+\-*%<>~^]$|\b(?:return|typeof|case|of|in|throw|await)$/.test(before);
}

function endOfRegExp(source: string, start: number): number {
  let inClass = false;
  for (let index = start + 1; index < source.length; index += 1) {
    const char = source[index];
    if (char === '\\') index += 1;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if (char === '\n') return index;
    else if (char === '/' && !inClass) return index + 1;
  }
  return source.length;
}
