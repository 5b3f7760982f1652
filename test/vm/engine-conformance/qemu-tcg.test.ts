import { describeConformance } from './conformance.ts';
import { openQemuBench } from './qemu-bench.ts';

describeConformance('QEMU, in software', (stack) => openQemuBench('tcg', stack));
