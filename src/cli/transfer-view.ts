/** Shows a copy while it runs: one line, drawn again in place; nothing where stderr is no terminal. */
import type { Output } from './output.ts';
import { transferLine } from './transfer-line.ts';

export interface TransferView extends Disposable {
  total(bytes: number): void;
  add(bytes: number): void;
}

const FRAME_MS = 200;
/** How far back the rate looks. */
const RATE_WINDOW_MS = 3_000;
/** A copy that is over sooner is not worth a line. */
const QUIET_MS = 500;

export function transferView(output: Output, label: string): TransferView {
  let doneBytes = 0;
  let totalBytes: number | undefined;
  const startedMs = performance.now();
  const samples: { readonly atMs: number; readonly bytes: number }[] = [{ atMs: startedMs, bytes: 0 }];
  let drawn = false;
  const draw = (): void => {
    const atMs = performance.now();
    const elapsedMs = atMs - startedMs;
    samples.push({ atMs, bytes: doneBytes });
    while (samples.length > 2 && atMs - (samples[0]?.atMs ?? 0) > RATE_WINDOW_MS) samples.shift();
    const [first] = samples;
    const spanMs = atMs - (first?.atMs ?? atMs);
    const bytesPerSecond = spanMs < FRAME_MS ? undefined : ((doneBytes - (first?.bytes ?? 0)) / spanMs) * 1000;
    if (elapsedMs < QUIET_MS) return;
    const options = { colors: output.colors, width: output.noteWidth };
    output.draw(`\r\u001b[0K${transferLine({ label, doneBytes, totalBytes, elapsedMs, bytesPerSecond }, options)}`);
    drawn = true;
  };
  const timer = output.isLive ? setInterval(draw, FRAME_MS) : undefined;
  return {
    total(bytes) {
      totalBytes = bytes;
    },
    add(bytes) {
      doneBytes += bytes;
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      if (drawn) output.draw('\r\u001b[0K');
    },
  };
}
