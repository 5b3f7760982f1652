import { type DoctorReport, type DoctorTopic, doctorReportSchema } from '../contracts/doctor.ts';
import { ProcessError, run } from '../host/process.ts';
import { ClientError } from './client-error.ts';
import { daemonArgv } from './daemon-program.ts';

/** Its slowest check boots a probe guest. */
const DOCTOR_TIMEOUT_MS = 180_000;

/**
 * Examines the host by the daemon's program, without a daemon.
 *
 * @param options.probe boots a guest on KVM, whatever is known of it.
 * @throws ClientError INTERNAL where it gives no report.
 */
export async function runDoctor(
  topic: DoctorTopic,
  { probe, signal }: { readonly probe: boolean; readonly signal?: AbortSignal },
): Promise<DoctorReport> {
  try {
    const { stdout } = await run(daemonArgv('doctor', '--json', '--for', topic, ...(probe ? ['--probe'] : [])), {
      okStatuses: [0, 1],
      timeoutMs: DOCTOR_TIMEOUT_MS,
      ...(signal ? { signal } : {}),
    });
    return doctorReportSchema.parse(JSON.parse(stdout));
  } catch (error) {
    signal?.throwIfAborted();
    const words = error instanceof ProcessError ? error.message : `its report cannot be read: ${String(error)}`;
    throw new ClientError('INTERNAL', `The host could not be examined: ${words}`, { cause: error });
  }
}
