import type { Bench } from './bench.ts';
import type { RunPlan } from './figure.ts';
import { formatAmount } from './report.ts';

/** Says each pair of runs as it ends. */
export function perPair(
  bench: Pick<Bench, 'say'>,
  title: string,
  { runs }: Pick<RunPlan, 'runs'>,
): (pair: { readonly number: number; readonly banger: number; readonly byHand: number }) => void {
  return ({ number, banger, byHand }) =>
    bench.say(
      `${title} ${number}/${runs}: banger ${formatAmount(banger, 'ms')}, by hand ${formatAmount(byHand, 'ms')}`,
    );
}
