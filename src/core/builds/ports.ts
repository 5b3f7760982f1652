/** What a build needs besides a VM: the files that go into guests, and things fetched from outside. */

export interface GuestAsset {
  readonly content: Uint8Array;
  readonly digest: string;
}

/** The project's own `guest/` folder, and what is built for guests. */
export interface GuestAssets {
  /** @param path relative to `guest/`: `steps/base.sh`; or `built/NAME`. */
  read(path: string): Promise<GuestAsset>;
}

export type FetchSpec =
  | {
      readonly kind: 'npm';
      /** `@jdxcode/mise-linux-x64`. */
      readonly packageName: string;
      readonly version: string;
      /** Subresource integrity of the tarball, `sha512-...`: pinned by us. */
      readonly integrity: string | undefined;
    }
  | { readonly kind: 'git'; readonly url: string; readonly commit: string };

/** A fetched tree in the cache; read only. */
export interface FetchedTree {
  readonly dir: string;
  /** What it is, exactly: integrity or commit. */
  readonly pin: string;
}

export interface Sources {
  /**
   * Fetches into the cache once; a second call finds it there. One flight per source; a waiter can be cancelled.
   *
   * @throws AppError SOURCE_UNREACHABLE naming the source and its address.
   */
  fetch(spec: FetchSpec, log: (line: string) => void, signal: AbortSignal): Promise<FetchedTree>;
}

/** Digest of a host folder's content: paths, modes, link targets and files. @throws the reason of `signal`. */
export type TreeDigest = (dir: string, signal: AbortSignal) => Promise<string>;
