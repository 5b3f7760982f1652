import { AGENT_VERSION } from '../builds/rootfs-files.ts';
import type { Disks } from '../vms/ports.ts';

const VERSION = /^[0-9A-Za-z.+~-]{1,64}$/;

/** Version of the guest agent on a disk that is not in use; undefined where it has none. The file's content is not trusted. */
export async function readAgentVersion(disks: Pick<Disks, 'readFile'>, diskPath: string): Promise<string | undefined> {
  const content = await disks.readFile(diskPath, AGENT_VERSION.path);
  if (content === undefined) return undefined;
  const version = new TextDecoder().decode(content.subarray(0, 128)).trim();
  return VERSION.test(version) ? version : undefined;
}
