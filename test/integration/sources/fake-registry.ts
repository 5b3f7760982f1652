/** A package registry on loopback, as far as `npm pack` needs one. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import { type Header, pack } from 'tar-stream';

export interface FakePackage {
  readonly name: string;
  readonly version: string;
  readonly tarball: Buffer;
  /** What the registry claims; the tarball's own where left out. */
  readonly integrity?: string;
}

export interface FakeRegistry extends AsyncDisposable {
  readonly address: string;
  /** Paths asked for, in order. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export interface FakeEntry extends Partial<Pick<Header, 'type' | 'mode' | 'linkname'>> {
  readonly name: string;
  readonly content?: string;
}

export async function makeTarball(entries: readonly FakeEntry[]): Promise<Buffer> {
  const archive = pack();
  for (const { content, ...header } of entries) archive.entry(header, content ?? '');
  archive.finalize();
  return buffer(archive.pipe(createGzip()));
}

export function integrityOf(tarball: Buffer): string {
  return `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
}

/** @param hold answers of tarballs wait for it. */
export async function startRegistry(
  packages: readonly FakePackage[],
  hold: Promise<void> = Promise.resolve(),
): Promise<FakeRegistry> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/');
    requests.push(path);
    const wanted = packages.find(({ name }) => path === `/${name}` || path === tarballPath(name));
    if (!wanted) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}');
    } else if (path === `/${wanted.name}`) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(packument(wanted, addressOf(server)));
    } else {
      void hold.then(() => response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(wanted.tarball));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return { address: addressOf(server), requests, close, [Symbol.asyncDispose]: close };
}

function tarballPath(name: string): string {
  return `/${name}/-/package.tgz`;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

function packument({ name, version, tarball, integrity }: FakePackage, address: string): string {
  const dist = { tarball: `${address.slice(0, -1)}${tarballPath(name)}`, integrity: integrity ?? integrityOf(tarball) };
  return JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: { name, version, dist } } });
}
