import type { DnsStatus, ResolverWiring } from '../../contracts/dns.ts';
import { DNS_PORT, DNS_ZONE } from '../../contracts/forwarding.ts';
import { AppError } from '../app-error.ts';
import { dnsAddressOf, type LoopbackInstance } from '../networks/loopback-plan.ts';
import { Undo } from '../undo.ts';
import type { DnsEndpoint, HostResolver } from './ports.ts';
import { commandsFor, planWiring } from './wiring-plan.ts';

export interface DnsWiringOptions {
  readonly resolver: HostResolver;
  readonly instance: LoopbackInstance;
  /** `BANGER_HOME`, or the state folder. */
  readonly homePath: string;
  readonly isRoot: boolean;
}

/** `banger dns`: tells the host's resolver of the guests' names, when the user asks for it, and takes that back exactly. */
export class DnsWiring {
  readonly #options: DnsWiringOptions;
  readonly #server: DnsEndpoint;

  constructor(options: DnsWiringOptions) {
    this.#options = options;
    this.#server = { address: dnsAddressOf(options.instance), port: DNS_PORT };
  }

  async status(): Promise<DnsStatus> {
    const { resolver } = this.#options;
    const { address } = this.#server;
    const [wiring, answer] = await Promise.all([resolver.readRecord(), resolver.askServer(this.#server)]);
    const answers = answer === address;
    // Where nobody answers, nothing is asked of the host: the question would go to servers out in the world.
    const resolves = answers && (await resolver.askHost()) === address;
    return { zone: DNS_ZONE, server: this.#server, ...(wiring && { wiring }), answers, resolves };
  }

  /**
   * Does nothing more where all is done. A failure leaves the host as it was.
   *
   * @throws AppError RESOLVER_UNSUPPORTED saying what to do by hand, RESOLVER_CONFLICT, RESOLVER_FAILED.
   */
  async enable(): Promise<DnsStatus> {
    const { resolver, homePath } = this.#options;
    const plan = planWiring(await resolver.facts(), this.#server, homePath);
    if (!plan.can) {
      throw new AppError('RESOLVER_UNSUPPORTED', `The names cannot be told to this host: ${plan.why}.`, {
        hint: plan.advice,
        details: { ...this.#server, zone: DNS_ZONE },
      });
    }
    const { wiring } = plan;
    const existing = await resolver.readRecord();
    // The host has another resolver now, or this home another place.
    if (existing && (existing.path !== wiring.path || existing.content !== wiring.content)) await this.disable();
    const found = await resolver.read(wiring.path);
    if (found !== undefined && found !== wiring.content) throw foreignFile(wiring.path, found);
    this.#needRoot(commandsFor(wiring));
    await this.#wire({ ...wiring, madeFolder: existing?.madeFolder ?? !(await resolver.hasFolderOf(wiring.path)) });
    return this.status();
  }

  /**
   * Does nothing where `enable` has not been done.
   *
   * @throws AppError RESOLVER_CONFLICT where the file is not as it was made, RESOLVER_FAILED.
   */
  async disable(): Promise<DnsStatus> {
    const { resolver } = this.#options;
    const wiring = await resolver.readRecord();
    if (!wiring) return this.status();
    const found = await resolver.read(wiring.path);
    if (found !== undefined && found !== wiring.content) {
      throw new AppError('RESOLVER_CONFLICT', `${wiring.path} has been changed since it was made.`, {
        hint: `Look at it and remove it, then run \`banger dns disable\` again: rm ${wiring.path}`,
        details: { path: wiring.path },
      });
    }
    this.#needRoot(`sudo rm -f ${wiring.path}\nsudo ${wiring.reload.join(' ')}`);
    await resolver.remove(wiring.path, { folder: wiring.madeFolder });
    await resolver.reload(wiring.reload);
    // Last: what fails before is done again by the next attempt.
    await resolver.removeRecord();
    return this.status();
  }

  async #wire(wiring: ResolverWiring): Promise<void> {
    const { resolver } = this.#options;
    const undo = new Undo();
    try {
      undo.add('the record of it', () => resolver.removeRecord());
      await resolver.writeRecord(wiring);
      undo.add(wiring.path, () => resolver.remove(wiring.path, { folder: wiring.madeFolder }));
      await resolver.write(wiring.path, wiring.content);
      await resolver.reload(wiring.reload);
    } catch (error) {
      throw await undo.after(error);
    }
  }

  #needRoot(commands: string): void {
    if (this.#options.isRoot) return;
    throw new AppError('RESOLVER_FAILED', 'Only root may change how this host resolves names.', {
      hint: `As root:\n${commands}`,
    });
  }
}

function foreignFile(path: string, content: string): AppError {
  const madeBy = /^# Made by banger \((.+)\);/.exec(content)?.[1];
  return new AppError(
    'RESOLVER_CONFLICT',
    madeBy === undefined ? `${path} is there already, and not ours.` : `Another banger (${madeBy}) has made ${path}.`,
    {
      hint: madeBy === undefined ? `Look at it, and move it away.` : 'Run `banger dns disable` there first.',
      details: { path },
    },
  );
}
