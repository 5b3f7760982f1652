import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { launcherPath } from '../../client/daemon-program.ts';
import { type SshConfigChange, installSshConfig, uninstallSshConfig } from '../../client/ssh-config-file.ts';
import { sshConfigText } from '../../client/ssh-config.ts';
import type { Cli } from '../cli.ts';
import { visible } from '../terminal-text.ts';
import { UsageError } from '../usage-error.ts';

interface Flags {
  readonly install?: boolean;
  readonly uninstall?: boolean;
  readonly print?: boolean;
}

export function sshConfig(command: Command, cli: Cli): void {
  command
    .option('--print', 'print the config (the default)')
    .option('--install', 'make ~/.ssh/config include it')
    .option('--uninstall', 'take that out again')
    .addHelpText(
      'after',
      `
With it a VM called NAME is NAME.vm for your own ssh, and so for scp, rsync and
editors: \`ssh box.vm\`. --install puts one line at the top of ~/.ssh/config and
leaves a copy beside it; --uninstall leaves the file as it was. Without
--install no file outside of banger's own folders is touched.`,
    )
    .action(async (flags: Flags) => {
      const wanted = [flags.print, flags.install, flags.uninstall].filter(Boolean);
      if (wanted.length > 1)
        throw new UsageError('REQUEST_INVALID', '--print, --install and --uninstall exclude each other');
      const userPath = join(homedir(), '.ssh', 'config');
      const { sshConfig: ownPath } = cli.session.paths;
      if (flags.uninstall) return tell(cli, await uninstallSshConfig(ownPath, userPath), 'uninstalled');
      const text = await ownConfig(cli);
      if (flags.install) return tell(cli, await installSshConfig({ path: ownPath, text }, userPath), 'installed');
      if (cli.output.json) cli.output.printJson({ text });
      else cli.output.print(text.trimEnd());
    });
}

async function ownConfig({ session }: Cli): Promise<string> {
  const config = await session.call('configShow', {});
  const key = config['ssh_key_path'];
  return sshConfigText({
    launcher: launcherPath(),
    movedHome: session.movedHome,
    identityPath: typeof key === 'string' ? key : join(session.paths.sshDir, 'id_ed25519'),
    vmHostsPath: session.paths.vmHosts,
  });
}

function tell({ output }: Cli, change: SshConfigChange, outcome: 'installed' | 'uninstalled'): void {
  if (output.json) {
    output.printJson({ outcome, ...change });
    return;
  }
  const path = visible(change.path);
  if (!change.changed) output.print(`${path} needed no change.`);
  else if (outcome === 'uninstalled') output.print(`${path} includes nothing of banger any more.`);
  else output.print(`${path} includes banger's hosts now: ssh NAME.vm`);
  if (change.backupPath !== undefined) output.print(`A copy of it as it was: ${visible(change.backupPath)}`);
  const home = userInfo().homedir;
  if (home !== homedir()) {
    output.note(
      `${output.colors.yellow('warning:')} HOME is not the home of your account: ssh reads ${home}/.ssh/config.`,
    );
  }
}
