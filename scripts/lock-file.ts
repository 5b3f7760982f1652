/** package-lock.json, version 3: as much of it as completing it needs. */

interface Entry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

export interface Lock {
  /** By path: `node_modules/vite/node_modules/rolldown`; the project itself under ''. */
  readonly packages: Readonly<Record<string, Entry>>;
}

/** Platforms as packages have them in their names: `@oxlint/binding-linux-arm64-musl`. */
const PLATFORM =
  /(android|darwin|freebsd|linux|openharmony|win32|wasm32)(?:-(arm64|arm|ia32|ppc64|riscv64|s390x|x64))?/;

/** The lock with an entry for every optional package that some package pins by its exact version. */
export function completed(lock: Lock): { readonly lock: Lock; readonly added: readonly string[] } {
  const packages: Record<string, Entry> = { ...lock.packages };
  const added: string[] = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (path === '' || !/^\d+\.\d+\.\d+/.test(version)) continue;
      const found = resolved(packages, path, name);
      if (found?.version === version) continue;
      // Where another version stands further up, this one lies below the package that wants it, as npm puts it.
      const place = found ? `${path}/node_modules/${name}` : `node_modules/${name}`;
      packages[place] = { version, ...platformOf(name), ...(entry.dev ? { dev: true } : {}), ...{ optional: true } };
      added.push(place);
    }
  }
  const sorted = Object.entries(packages).toSorted(([a], [b]) => a.localeCompare(b, 'en'));
  return { lock: { ...lock, packages: Object.fromEntries(sorted) }, added };
}

/** The entry that a package at `path` gets for a name: the nearest one on the way up. */
function resolved(packages: Readonly<Record<string, Entry>>, path: string, name: string): Entry | undefined {
  for (let folder = path; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const found = packages[folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`];
    if (found || folder === '') return found;
  }
}

/** What npm compares with the machine before it fetches a package. */
function platformOf(name: string): Readonly<Record<string, readonly string[]>> {
  const [, os, cpu] = PLATFORM.exec(name) ?? [];
  if (os === 'wasm32') return { cpu: [os] };
  const libc = name.includes('musl') ? 'musl' : /-gnu/.test(name) ? 'glibc' : undefined;
  const facts = Object.entries({ cpu, libc: os === 'linux' ? libc : undefined, os });
  return Object.fromEntries(facts.flatMap(([key, value]) => (value === undefined ? [] : [[key, [value]]])));
}
