/** The agent's program, on QuickJS. `banger-agent [--listen unix:PATH | --version]` */
import * as std from 'qjs:std';
import { startAgent } from './agent.ts';
import { createQuickjsSys } from './quickjs-sys.ts';

/** Set by scripts/build-agent.ts. */
declare const AGENT_VERSION: string;

/** As sysexits.h has it; the unit does not start the agent again after it. */
const EX_USAGE = 64;
const EX_UNAVAILABLE = 69;

const [, ...args] = scriptArgs;
if (args[0] === '--version' && args.length === 1) {
  std.out.puts(`${AGENT_VERSION}\n`);
  std.exit(0);
}
const unixPath = /^unix:(.+)$/.exec(args[1] ?? '')?.[1];
if (args.length > 0 && !(args[0] === '--listen' && args.length === 2 && unixPath !== undefined)) {
  end(EX_USAGE, 'usage: banger-agent [--listen unix:PATH | --version]');
}
startAgent(createQuickjsSys(), {
  version: AGENT_VERSION,
  unixPath,
  onNoChannel: () =>
    end(EX_UNAVAILABLE, 'there is no channel to a host: neither a virtio-serial port of ours nor vsock'),
});

function end(status: number, words: string): never {
  std.err.puts(`banger-agent: ${words}\n`);
  std.exit(status);
}
