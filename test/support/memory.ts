import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Memory that is still in use after everything that nobody refers to was collected, `bytes`. */
export function usedMemoryBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
