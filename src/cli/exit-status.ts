/** What `banger` exits with. `vm run`, `vm exec` and `vm ssh` exit with the status of what ran inside instead. */
export const EXIT_STATUS = {
  ok: 0,
  /** It was tried and failed, or doctor found something missing. */
  failed: 1,
  /** The command line is wrong; nothing was sent. */
  usage: 2,
} as const;
