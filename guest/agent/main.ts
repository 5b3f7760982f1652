/** The agent's program, on QuickJS. `banger-agent [--listen unix:PATH | --version | --probe]` */
import * as native from 'qjs:native';
import * as std from 'qjs:std';
import { PROBE_ARGUMENT, PROBE_LINE } from '../../src/contracts/agent.ts';
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
if (args[0] === PROBE_ARGUMENT && args.length === 1) probe();
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

/** The whole life of a probe guest, in which we are the first program and stdout is the console. */
function probe(): never {
  // On a machine that does anything else, a reset would end it all.
  if (native.pid() !== 1) end(EX_USAGE, `${PROBE_ARGUMENT} is for the first program of a guest`);
  std.out.puts(`${PROBE_LINE}\n`);
  std.out.flush();
  native.restart();
  // Where the machine has no reset: the kernel panics when its first program ends.
  std.exit(0);
}

function end(status: number, words: string): never {
  std.err.puts(`banger-agent: ${words}\n`);
  std.exit(status);
}
