import { describeConformance } from './conformance.ts';
import { openQemuBench } from './qemu-bench.ts';

describeConformance('QEMU, on KVM', (stack) => openQemuBench('kvm', stack));
