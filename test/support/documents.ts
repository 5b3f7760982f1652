import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY_ROOT } from './source-tree.ts';

export interface Document {
  /** Path from the repository's root: `docs/on-disk.md`. */
  readonly path: string;
  readonly text: string;
}

/** One document of the repository. */
export function readDocument(path: string): Document {
  return { path, text: readFileSync(join(REPOSITORY_ROOT, path), 'utf8') };
}

/** Every Markdown file of the repository's root and of `docs/`. */
export function readDocuments(): readonly Document[] {
  const inRoot = readdirSync(REPOSITORY_ROOT).filter((name) => name.endsWith('.md'));
  const inDocs = readdirSync(join(REPOSITORY_ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);
  return [...inRoot, ...inDocs].toSorted().map(readDocument);
}

/** Lines of fenced blocks, and what stands in backticks elsewhere: where a document shows commands, paths and codes. */
export function codeOf({ text }: Document): readonly string[] {
  return [...fencedBlocks(text).flatMap((block) => block.split('\n')), ...inlineCode(text)];
}

/** What stands in backticks outside fenced blocks. */
export function inlineCode(text: string): readonly string[] {
  return [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, code]) => code ?? '');
}

/** Targets of links and pictures, outside code. */
export function linkTargets({ text }: Document): readonly string[] {
  const prose = withoutBlocks(text).replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^()\s]+)\)/g)].map(([, target]) => target ?? '');
}

/** Anchors of a document's headings, as GitHub makes them. */
export function anchorsOf({ text }: Document): readonly string[] {
  return [...withoutBlocks(text).matchAll(/^#+ +(.+)$/gm)].map(([, heading]) =>
    (heading ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replaceAll(/\s/g, '-'),
  );
}

/** First cells of the rows of every table, without their backticks. */
export function firstCells(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => (line.split('|')[1] ?? '').trim());
}

function fencedBlocks(text: string): readonly string[] {
  return [...text.matchAll(/^```[^\n]*\n([^]*?)^```$/gm)].map(([, block]) => block ?? '');
}

function withoutBlocks(text: string): string {
  return text.replaceAll(/^```[^\n]*\n[^]*?^```$/gm, '');
}
