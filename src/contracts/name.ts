/** Names of images, kernels and VMs: one DNS label, so that `NAME.vm` is always a host name. */
import { z } from 'zod';

const NAME_PATTERN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A resource's name. Refuses anything that is not one lower-case DNS label. */
export const nameSchema = z
  .string()
  .regex(NAME_PATTERN, 'a name is 1 to 63 characters of a-z, 0-9 and "-", and begins and ends with a letter or digit');
