/**
 * Installed packages out of dpkg's own record, `/var/lib/dpkg/status` (deb822 paragraphs, dpkg(1)).
 *
 * @returns `name version`, sorted; packages that are only half there or removed are left out.
 */
export function parseDpkgStatus(text: string): string[] {
  return text
    .split(/\n\n+/)
    .flatMap((paragraph) => {
      const name = field(paragraph, 'Package');
      const version = field(paragraph, 'Version');
      const status = field(paragraph, 'Status');
      return name && version && status?.endsWith(' installed') ? [`${name} ${version}`] : [];
    })
    .toSorted();
}

function field(paragraph: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1];
}
