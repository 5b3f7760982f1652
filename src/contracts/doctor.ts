/** What `banger doctor` reports. */
import { z } from 'zod';

export const DOCTOR_TOPICS = ['all', 'bootstrap', 'build', 'vm'] as const;

export type DoctorTopic = (typeof DOCTOR_TOPICS)[number];

export const doctorCheckSchema = z.object({
  /** Permanent name of the check: `qemu-binary`. */
  name: z.string(),
  outcome: z.enum(['ok', 'warning', 'failed']),
  /** What was found. */
  message: z.string(),
  /** The exact command that mends it, or what to do where no command can. */
  fix: z.string().optional(),
});

export const doctorReportSchema = z.object({
  bangerVersion: z.string(),
  topic: z.enum(DOCTOR_TOPICS),
  /** True where the main job can run: no check failed. */
  ok: z.boolean(),
  checks: z.array(doctorCheckSchema),
});

export type DoctorCheck = z.infer<typeof doctorCheckSchema>;
export type DoctorReport = z.infer<typeof doctorReportSchema>;
