/** What the daemon tells about itself. */
import { z } from 'zod';
import { NETWORK_MODES } from './config.ts';

export const daemonStatusSchema = z.object({
  /** The package's version. */
  version: z.string(),
  /** Changes with every build of the code; a CLI of another build replaces the daemon. */
  buildId: z.string(),
  pid: z.number().int(),
  startedAt: z.iso.datetime(),
  socketPath: z.string(),
  homePath: z.string(),
  networkMode: z.enum(NETWORK_MODES),
  /** Name of banger's own network namespace; absent in mode `host`. */
  namespaceName: z.string().optional(),
  runningVms: z.number().int().nonnegative(),
  runningOperations: z.number().int().nonnegative(),
  /** Resident memory of the daemon. */
  rssBytes: z.number().int().nonnegative(),
});

export type DaemonStatus = z.infer<typeof daemonStatusSchema>;

export const stopDaemonRequestSchema = z.strictObject({
  reason: z
    .enum(['user', 'replace'])
    .default('user')
    .describe('`user`: with no VM left the network goes too. `replace`: another build of the daemon follows.'),
});

export const stopDaemonReplySchema = z.object({
  pid: z.number().int(),
  /** VMs that go on running without the daemon. */
  runningVms: z.array(z.string()),
});
