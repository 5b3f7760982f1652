/** /proc/mounts (fstab(5)). Pure. */

/** Where the root filesystem and those on block devices are mounted: root first, each device once. */
export function parseDiskMounts(text: string): string[] {
  const devices = new Set<string>();
  const paths: string[] = [];
  for (const line of text.split('\n')) {
    const [device = '', path = ''] = line.split(' ').map(unescape);
    if (path === '/') {
      // The last of several is what one sees; a device of that name shall not come again below another path.
      devices.add(device);
    } else if (device.startsWith('/dev/') && !devices.has(device)) {
      devices.add(device);
      paths.push(path);
    }
  }
  return ['/', ...paths];
}

/** Spaces and the like stand as backslash and three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
