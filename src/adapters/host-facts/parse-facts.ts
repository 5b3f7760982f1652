/** Reads the words of the host's programs and files. */
import type { RouteFact } from '../../core/doctor/ports.ts';

/** The first thing in the first line of a program’s output that looks like a version: `7.2.22`. */
export function parseVersion(output: string): string | undefined {
  return /(?<![\d.])\d+(?:\.\d+)+(?:p\d+)?/.exec(output.trimStart().split('\n', 1)[0] ?? '')?.[0];
}

/** MemAvailable of /proc/meminfo (proc(5)), `bytes`: what can be had without swapping. */
export function parseAvailableBytes(meminfo: string): number | undefined {
  const kilobytes = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** Name servers of a resolv.conf, in its order (resolv.conf(5)). */
export function parseNameServers(resolvConf: string): readonly string[] {
  return [...resolvConf.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].flatMap((match) => match[1] ?? []);
}

/** Output of `ip -json route`; entries without a device (`blackhole`) are left out. */
export function parseRoutes(json: string): readonly RouteFact[] {
  const entries: unknown = JSON.parse(json.trim() || '[]');
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || !('dst' in entry) || !('dev' in entry)) return [];
    return [{ destination: String(entry.dst), device: String(entry.dev) }];
  });
}
