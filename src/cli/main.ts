/** The CLI: reads the environment once, runs one command, exits with its status. */
import { isatty } from 'node:tty';
import type { Cli } from './cli.ts';
import { EXIT_STATUS } from './exit-status.ts';
import { Output } from './output.ts';
import { readCommandLine, runProgram, seeHelp } from './program.ts';
import { Session } from '../client/session.ts';

// No await out here: the bundle is CommonJS, which starts faster (see scripts/bundle.ts).
void main(process.argv.slice(2)).then((status) => process.exit(status));

async function main(argv: readonly string[]): Promise<number> {
  // Whoever reads our output may stop reading (`| head`): that is no fault of ours. 141 is 128 + SIGPIPE.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(141);
    throw error;
  });
  if (argv[0] === '__proxy') return runHiddenProxy(argv.slice(1));
  if (argv[0] === 'complete' && argv[1] === '--') {
    const { complete } = await import('./complete.ts');
    return complete(
      argv.slice(2),
      makeCli(readCommandLine([]), () => undefined),
    );
  }
  const line = readCommandLine(argv);
  let status: number = EXIT_STATUS.ok;
  const cli = makeCli(line, (wanted) => (status = wanted));
  try {
    return (await runProgram(line, cli)) ?? status;
  } catch (error) {
    const { finish } = await import('./finish.ts');
    return finish(cli.output, error, seeHelp(line));
  }
}

function makeCli(line: ReturnType<typeof readCommandLine>, exitWith: (status: number) => void): Cli {
  const output = new Output({ stdout: process.stdout, stderr: process.stderr, env: process.env, json: line.json });
  return {
    output,
    session: new Session({
      env: process.env,
      uid: process.getuid?.() ?? 0,
      warn: (text) => output.note(`${output.colors.yellow('warning:')} ${text}`),
    }),
    cwd: process.cwd(),
    guestCommand: line.guestCommand,
    // Not process.stdin: to look at it is to open it.
    isInteractive: isatty(0) && isatty(1),
    terminalType: process.env['TERM'] ?? 'dumb',
    exitWith,
  };
}

/**
 * `__proxy VM PORT`: what ssh runs, not people. Under its host name, `VM.vm`, it is asked for by the user's own ssh: then
 * the daemon may have to be started.
 */
async function runHiddenProxy(args: readonly string[]): Promise<number> {
  const [host = '', port = ''] = args;
  const vmName = host.toLowerCase().replace(/\.vm$/, '');
  const cli = makeCli(readCommandLine([]), () => undefined);
  try {
    if (vmName !== host) await cli.session.connect();
    const { runProxy } = await import('../client/proxy.ts');
    await runProxy(cli.session.paths.daemonSocket, { vmName, port: Number(port) });
    return EXIT_STATUS.ok;
  } catch (error) {
    const { reportError } = await import('./error-report.ts');
    await reportError(cli.output, error);
    return EXIT_STATUS.failed;
  }
}
