import type { Image } from '../src/contracts/image.ts';
import type { Banger } from './banger.ts';
import type { Guest } from './guest.ts';

/** What every figure is given. */
export interface Bench {
  readonly banger: Banger;
  readonly image: () => Promise<Image>;
  readonly guest: () => Promise<Guest>;
  /** Tells a person how far the bench has come. */
  readonly say: (line: string) => void;
}
