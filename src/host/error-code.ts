/** The code of an error of the system, such as `ENOENT`, or of a library whose errors have codes as well. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** Whether a thrown value is an error with one of these codes: what a `catch` expects, as told from what it must not hide. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = errorCode(error);
  return code !== undefined && codes.includes(code);
}
