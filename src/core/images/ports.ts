/** What the domain needs to keep images: their folders, their records, and ways to make a first one. */
import type { BootstrapRequest } from '../../contracts/build.ts';
import type { BootSet, Image } from '../../contracts/image.ts';
import type { StageRunner } from '../operations/operation-context.ts';

/** A folder below staging, where an image is made before it is published by one rename. */
export interface StagedImage {
  readonly dir: string;
  readonly rootfsPath: string;
  readonly kernelPath: string;
  readonly initrdPath: string;
  readonly modulesPath: string;
}

export interface ImageFolders {
  /** @param key names the staging folder; the image's id. */
  stage(key: string): Promise<StagedImage>;
  /** Removes a staging folder; does nothing where it is gone. */
  discard(key: string): Promise<void>;
  /** Copies kernel, initrd and modules tree into the staged folder; returns what the image will have, relative paths resolved to the final folder. */
  copyBootSet(staged: StagedImage, boot: BootSet, signal: AbortSignal): Promise<void>;
  /** The list of installed packages, `name version` a line, kept beside the rootfs. */
  writePackages(staged: StagedImage, packages: readonly string[]): Promise<void>;
  readPackages(imageId: string): Promise<readonly string[]>;
  /** Syncs every file, then one rename. @returns the final paths. */
  publish(staged: StagedImage, imageId: string): Promise<{ readonly rootfsPath: string; readonly boot: BootSet }>;
  /** Removes a managed image's folder. */
  remove(imageId: string): Promise<void>;
  /** Ids of every folder that exists, for reconciliation; what is not named by an id of ours is not among them. */
  list(): Promise<readonly string[]>;
  /** Moves a failed build's staging folder where the user can look at it. @returns its path. */
  keepFailed(key: string): Promise<string>;
  /** Staging folders that exist, for reconciliation; what is not named as we do is not among them. */
  listStaged(): Promise<readonly string[]>;
  /** @throws AppError IMAGE_FILES_MISSING naming the file that cannot be read. */
  assertReadable(paths: readonly string[]): Promise<void>;
}

/** Looks into kernel files without running anything. */
export interface KernelInspector {
  /** @throws AppError KERNEL_INVALID saying what the file is instead. */
  inspectKernel(path: string): Promise<{ readonly format: 'bzimage' | 'elf'; readonly version: string | undefined }>;
  /** @throws AppError INITRD_INVALID. */
  inspectInitrd(path: string): Promise<void>;
  /** @throws AppError MODULES_INVALID. @returns the kernel version the tree is for. */
  inspectModules(dir: string): Promise<string>;
}

export interface Bootstrapper {
  /**
   * Makes rootfs, kernel and initrd in the staged folder from a distribution's packages, with nothing mounted.
   *
   * @returns the installed packages, `name version`, sorted.
   * @throws AppError BOOTSTRAP_FAILED with the tool's own last words.
   */
  bootstrap(
    request: BootstrapRequest,
    staged: StagedImage,
    run: StageRunner,
    signal: AbortSignal,
  ): Promise<readonly string[]>;
}

export interface ImageRepository {
  list(): readonly Image[];
  findByName(name: string): Image | undefined;
  insert(image: Image): void;
  /** Replaces the record with the same id. */
  update(image: Image): void;
  delete(id: string): void;
}
