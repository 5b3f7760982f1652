/** The import table of ARCHITECTURE.md as data. Everything that no row allows is an error. */
import { builtinModules } from 'node:module';
import { posix } from 'node:path';

interface Row {
  /** Folders of src/ that may be imported. */
  readonly layers: readonly string[];
  /** Packages that may be imported. */
  readonly packages: readonly string[];
  /** Node's own modules: all but the guarded ones, or a list. */
  readonly builtins: 'all' | readonly string[];
}

/** What a pure domain may take from Node: values and clocks, never the machine. */
const PURE_BUILTINS = [
  'assert',
  'async_hooks',
  'buffer',
  'crypto',
  'events',
  'path',
  'path/posix',
  'perf_hooks',
  'stream',
  'stream/promises',
  'string_decoder',
  'timers',
  'timers/promises',
  'url',
  'util',
];

/** A library belongs to the one adapter that wraps it. */
const ADAPTER_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  // A guest's words are checked by the contracts' own schemas.
  agent: ['zod'],
  bootstrap: ['tar-stream'],
  // Records are parsed by the contracts' own schemas.
  folders: ['zod'],
  forwarder: ['zod'],
  'host-facts': ['zod'],
  'host-resolver': ['zod'],
  'name-gate': ['dns-packet'],
  names: ['unique-names-generator'],
  sources: ['semver', 'tar-stream'],
  ssh: ['ssh2', 'tar-stream'],
  store: ['zod'],
};

const ROWS: Readonly<Record<string, Row>> = {
  contracts: { layers: ['contracts'], packages: ['zod'], builtins: [] },
  core: { layers: ['core', 'contracts'], packages: [], builtins: PURE_BUILTINS },
  host: { layers: ['host'], packages: [], builtins: 'all' },
  adapters: { layers: ['core', 'contracts', 'host'], packages: [], builtins: 'all' },
  client: {
    layers: ['client', 'contracts', 'host'],
    packages: ['eventsource-parser', 'tar-stream', 'zod'],
    builtins: 'all',
  },
  forwarder: { layers: ['forwarder', 'contracts', 'host'], packages: ['dns-packet'], builtins: 'all' },
  cli: {
    layers: ['cli', 'contracts', 'client'],
    packages: ['commander', '@bomb.sh/tab', 'listr2', 'cli-table3', 'picocolors', 'semver', 'zod'],
    builtins: 'all',
  },
  daemon: {
    layers: ['daemon', 'contracts', 'core', 'host'],
    packages: ['hono', '@hono/node-server', 'pino', 'smol-toml', 'zod'],
    builtins: 'all',
  },
};

/** The agent is a program of its own, on another engine: of banger it has the protocol, of its types only the shapes. */
const AGENT_FOLDER = 'guest/agent/';
const AGENT_CONSTANTS = 'src/contracts/agent.ts';
const AGENT_TYPES = 'src/contracts/agent-messages.ts';
/** The only files that know what it runs on. */
const AGENT_ENGINE_FILES = /^guest\/agent\/(quickjs-[a-z]+|main)\.ts$/;

/** Side effects with one door each: module to the only file that may import it. */
const DOORS: Readonly<Record<string, string>> = {
  child_process: 'src/host/process.ts',
  sqlite: 'src/adapters/store/database.ts',
};

/** The only files outside src/adapters that may name an adapter: the composition root and its parts. */
const COMPOSITION = /^src\/daemon\/compose(-[a-z]+)?\.ts$/;

/**
 * Judges one import of one file.
 *
 * @param file path from the repository's root: `src/core/undo.ts`.
 * @param typesOnly nothing of it is there when the program runs.
 * @returns what is wrong with it; undefined where the table allows it.
 */
export function judgeImport(file: string, specifier: string, typesOnly = false): string | undefined {
  if (file.startsWith(AGENT_FOLDER)) return judgeAgentImport(file, specifier, typesOnly);
  const [, layer = '', folder = ''] = file.split('/');
  const row = ROWS[layer];
  if (!row) return `src/${layer} has no row in the import table`;
  if (specifier.startsWith('.')) return judgeRelative(file, row, posix.join(posix.dirname(file), specifier));
  const builtin = specifier.replace(/^node:/, '');
  if (specifier.startsWith('node:') || builtinModules.includes(specifier)) {
    const door = DOORS[builtin];
    if (door) return door === file ? undefined : `only ${door} imports node:${builtin}`;
    return row.builtins === 'all' || row.builtins.includes(builtin)
      ? undefined
      : `${layer} may not import node:${builtin}`;
  }
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  const packages = layer === 'adapters' ? (ADAPTER_PACKAGES[folder] ?? []) : row.packages;
  return packages.includes(name)
    ? undefined
    : `${layer === 'adapters' ? `adapters/${folder}` : layer} may not import ${name}`;
}

function judgeAgentImport(file: string, specifier: string, typesOnly: boolean): string | undefined {
  if (specifier.startsWith('qjs:')) {
    return AGENT_ENGINE_FILES.test(file) ? undefined : 'only quickjs-*.ts and main.ts know what the agent runs on';
  }
  if (!specifier.startsWith('.')) return `the agent may not import ${specifier}: it runs on QuickJS`;
  const target = posix.join(posix.dirname(file), specifier);
  if (!target.endsWith('.ts')) return `${target}: imports name the file, with .ts`;
  if (target.startsWith(AGENT_FOLDER) || target === AGENT_CONSTANTS) return undefined;
  if (target === AGENT_TYPES)
    return typesOnly ? undefined : 'of agent-messages.ts the agent takes types only: it has no zod';
  return `the agent may not import ${target}`;
}

function judgeRelative(file: string, row: Row, target: string): string | undefined {
  if (!target.endsWith('.ts')) return `${target}: imports name the file, with .ts`;
  const [root, targetLayer = '', targetFolder = ''] = target.split('/');
  const [, layer = '', folder = ''] = file.split('/');
  if (root !== 'src') return `${target} is outside src`;
  if (targetLayer === 'adapters') {
    if (COMPOSITION.test(file) || (layer === 'adapters' && folder === targetFolder)) return undefined;
    return layer === 'adapters' ? 'no adapter imports another' : 'only daemon/compose.ts and its parts import adapters';
  }
  if (!row.layers.includes(targetLayer)) return `${layer} may not import ${targetLayer}`;
  if (layer === 'adapters' && target.endsWith('-service.ts'))
    return 'an adapter implements ports; it never calls a service';
  return undefined;
}
