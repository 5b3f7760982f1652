/** Colours and other commands to a terminal (ECMA-48 control sequences). */
const CONTROL_SEQUENCE = /\u001b\[[0-9;?]*[ -/]*[@-~]/g;
const CONTROL_CHARACTER = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g;

/**
 * The lines of a guest's console, which may hold anything, as lines that do nothing to the terminal that shows them:
 * control sequences go, other control characters become visible. Blank lines are left out.
 */
export function visibleLines(text: string): string[] {
  return text
    .replaceAll('\r', '')
    .replaceAll(CONTROL_SEQUENCE, '')
    .replaceAll(CONTROL_CHARACTER, (control) =>
      control === '\t' ? '  ' : `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
    .split('\n')
    .filter((line) => line.trim() !== '');
}
