/** `banger __proxy NAME PORT`: ssh's proxy command. Its stdin and stdout become a connection to a guest's port. */
import { pipeline } from 'node:stream/promises';
import { hasCode } from '../host/error-code.ts';
import { ApiClient } from './api-client.ts';

/**
 * @throws ClientError where the daemon or the guest cannot be reached. It starts no daemon: the ssh that calls it was
 * started by a command that has just talked to one.
 */
export async function runProxy(
  socketPath: string,
  target: { readonly vmName: string; readonly port: number },
): Promise<void> {
  const client = new ApiClient({ socketPath, sameBuild: true });
  const tunnel = await client.tunnel(target.vmName, target.port);
  const upward = pipeline(process.stdin, tunnel).catch(endedEarly);
  await pipeline(tunnel, process.stdout, { end: false }).catch(endedEarly);
  // The guest has closed: what ssh may still write goes nowhere.
  process.stdin.destroy();
  tunnel.destroy();
  await upward;
}

/** Either end may close first; ssh tells its user about a session that was cut. */
function endedEarly(error: unknown): void {
  if (!hasCode(error, 'ERR_STREAM_PREMATURE_CLOSE', 'EPIPE', 'ECONNRESET', 'ABORT_ERR')) throw error;
}
