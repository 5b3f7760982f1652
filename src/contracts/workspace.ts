/** What `vm run PATH` has brought into a VM, and what `vm export` compares with. */
import { z } from 'zod';

export const workspaceSchema = z.strictObject({
  /** Top folder of the work tree in the guest. */
  guestPath: z
    .string()
    .max(1024)
    .regex(/^\/root\/[^/\p{Cc}]{1,255}$/u, 'give a folder below /root')
    .refine((path) => !/\/\.{1,2}$/.test(path), 'give a folder below /root'),
  /** The commit that the work tree was when it came, SHA-1 or SHA-256. */
  base: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/, 'give a whole commit'),
});

export type Workspace = z.infer<typeof workspaceSchema>;
