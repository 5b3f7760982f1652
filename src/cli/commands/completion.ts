import type { Command } from 'commander';
import { script } from '@bomb.sh/tab';
import type { Cli } from '../cli.ts';
import { UsageError } from '../usage-error.ts';

const SHELLS = ['bash', 'zsh', 'fish'];

export function completion(command: Command, _cli: Cli): void {
  command
    .argument('<shell>', SHELLS.join(', '))
    .addHelpText('after', '\nFor example: source <(banger completion bash)')
    .action((shell: string) => {
      if (!SHELLS.includes(shell)) {
        throw new UsageError('REQUEST_INVALID', `${JSON.stringify(shell)}: give one of ${SHELLS.join(', ')}`);
      }
      // It prints the script itself; the script asks `banger complete -- WORDS...`.
      script(shell, 'banger', 'banger');
    });
}
