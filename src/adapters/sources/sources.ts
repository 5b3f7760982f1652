import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { FetchedTree, FetchSpec, Sources } from '../../core/builds/ports.ts';
import { fetchKey } from '../../core/builds/step-plan.ts';
import { fetchGitCommit } from './git-source.ts';
import { fetchNpmPackage } from './npm-source.ts';
import { SingleFlight } from '../../core/single-flight.ts';
import { SourceCache, type SourceFill } from './source-cache.ts';

/** @param options `cacheDir`: banger's cache folder; fetched trees lie in `sources` below it. */
export function createSources(options: { readonly cacheDir: string }): Sources {
  const cache = new SourceCache(join(options.cacheDir, 'sources'));
  const flights = new SingleFlight<FetchedTree>();
  return {
    fetch(spec, log, signal) {
      const key = cacheKey(spec);
      return flights.run(
        fetchKey(spec),
        async (say, stop) =>
          (await cache.find(key)) ?? cache.add(key, (target) => fill(spec, target, { log: say, signal: stop })),
        { log, signal },
      );
    },
  };
}

function fill(
  spec: FetchSpec,
  target: SourceFill,
  progress: { readonly log: (line: string) => void; readonly signal: AbortSignal },
): Promise<string> {
  return spec.kind === 'git' ? fetchGitCommit(spec, target, progress) : fetchNpmPackage(spec, target, progress);
}

/** A folder's name that tells people what is in it; its hash tells one source from another. */
function cacheKey(spec: FetchSpec): string {
  if (spec.kind === 'git') return `git/${spec.commit}`;
  const hash = createHash('sha256').update(fetchKey(spec)).digest('hex').slice(0, 12);
  return `npm/${spec.packageName.replace(/^@/, '').replaceAll('/', '-')}-${spec.version}-${hash}`;
}
