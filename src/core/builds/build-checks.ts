/** What a build request must satisfy before anything is made. Pure. */
import type { BuildRequest } from '../../contracts/build.ts';
import type { BootSet, Image } from '../../contracts/image.ts';
import { formatSize } from '../../contracts/size.ts';
import { AppError } from '../app-error.ts';

/** The result's root filesystem size. @throws AppError SIZE_INVALID where it would be smaller than the source's. */
export function resultSizeBytes(request: Pick<BuildRequest, 'sizeBytes'>, source: Image): number {
  const { sizeBytes } = request;
  if (sizeBytes === undefined) return source.sizeBytes;
  if (sizeBytes >= source.sizeBytes) return sizeBytes;
  throw new AppError(
    'SIZE_INVALID',
    `A size of ${formatSize(sizeBytes)} is smaller than the source image "${source.name}" (${formatSize(source.sizeBytes)}).`,
    { hint: `Ask for at least ${formatSize(source.sizeBytes)}, or leave --size out.` },
  );
}

/** The result's boot set: the source's, but for what the request replaces. A new kernel never keeps an old initrd. */
export function resultBootSet(request: BuildRequest, source: Image): BootSet {
  const { kernelPath, initrdPath, modulesPath } = request;
  const initrd = initrdPath ?? (kernelPath === undefined ? source.boot.initrdPath : undefined);
  const modules = modulesPath ?? (kernelPath === undefined ? source.boot.modulesPath : undefined);
  return {
    kernelPath: kernelPath ?? source.boot.kernelPath,
    ...(initrd === undefined ? {} : { initrdPath: initrd }),
    ...(modules === undefined ? {} : { modulesPath: modules }),
  };
}
