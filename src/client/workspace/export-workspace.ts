/** What was changed in a VM's work tree, as a patch. A guest may send anything: it is bytes, and nothing acts on them. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { formatSize } from '../../contracts/size.ts';
import { ClientError } from '../client-error.ts';
import { type GuestAnswer, pipeFromGuest, scriptCommand } from '../guest-command.ts';
import type { Session } from '../session.ts';

/** No patch that a person looks at comes near; a guest that never ends does. */
const MAX_PATCH_BYTES = 2 ** 30;

export interface ExportPlan {
  readonly vmName: string;
  readonly guestPath: string;
  /** A commit, or BASE_REF of git.ts. */
  readonly base: string;
  /** One patch of everything, or one mail a commit and one for what was not committed. */
  readonly form: 'diff' | 'mails';
}

/**
 * @param write takes the patch piece by piece.
 * @returns its length; 0 where nothing was changed.
 * @throws ClientError EXPORT_FAILED; those of `startExec`; what `write` throws.
 */
export async function exportWorkspace(
  session: Session,
  plan: ExportPlan,
  { write, signal }: { readonly write: (data: Uint8Array) => Promise<void>; readonly signal: AbortSignal },
): Promise<number> {
  const { vmName, guestPath, base, form } = plan;
  const command = await scriptCommand('workspace/export.sh', guestPath, base, form);
  return pipeFromGuest(
    session,
    { vmName, command },
    {
      signal,
      async read(chunks) {
        let bytes = 0;
        for await (const chunk of chunks) {
          bytes += chunk.length;
          if (bytes > MAX_PATCH_BYTES) {
            throw new ClientError('EXPORT_FAILED', `The patch is larger than ${formatSize(MAX_PATCH_BYTES)}.`);
          }
          await write(chunk);
        }
        return bytes;
      },
      judge: (answer) => judge(plan, answer),
    },
  );
}

/** As `exportWorkspace`, into a file that is there only once it is whole; none where nothing was changed. */
export async function exportToFile(
  session: Session,
  plan: ExportPlan,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Promise<number> {
  const temporary = join(dirname(path), `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}`);
  const file = await open(temporary, 'wx', 0o644);
  try {
    let bytes: number;
    try {
      bytes = await exportWorkspace(session, plan, {
        signal,
        write: async (data) => {
          for (let at = 0; at < data.length;) at += (await file.write(data, at)).bytesWritten;
        },
      });
    } finally {
      await file.close();
    }
    if (bytes > 0) await rename(temporary, path);
    return bytes;
  } finally {
    await rm(temporary, { force: true });
  }
}

function judge({ vmName, guestPath, form }: ExportPlan, { end, words }: GuestAnswer): void {
  if (end.exitStatus === 0) return;
  const last = words.split('\n').at(-1) || `status ${end.exitStatus ?? end.signal}`;
  const hint =
    form === 'mails' && end.exitStatus === 4
      ? 'Leave --commits out: the whole as one patch does not ask how it came about.'
      : `\`banger vm cp ${vmName}:${guestPath} .\` gets the files themselves.`;
  throw new ClientError('EXPORT_FAILED', `Nothing could be exported from ${guestPath}: ${last}`, {
    hint,
    ...(words.includes('\n') && { details: { words: words.split('\n').slice(-10) } }),
  });
}
