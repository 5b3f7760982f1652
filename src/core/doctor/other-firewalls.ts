/** Whether another firewall's rules stop what ours let through, in mode `host`. Pure. */

/** What stops guests, and what mends it. */
export interface FirewallObstacle {
  /** `Docker`, `ufw`, `firewalld`; else the table's name. */
  readonly owner: string;
  /** `ip filter FORWARD`. */
  readonly chain: string;
  /** What it does: `policy drop`, or its rule. */
  readonly what: string;
  /** Commands as root, in order. */
  readonly fix: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;
type Verdict = 'accept' | 'drop' | 'continue' | 'return';

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook: string | undefined;
  readonly type: string | undefined;
  readonly policy: string | undefined;
  readonly rules: (readonly Fields[])[];
}

/** As much of a packet as rules of other firewalls go by where they mean everybody. */
interface Packet {
  readonly iifname: string;
  readonly oifname: string;
  readonly state: 'new' | 'established';
}

/** An interface that is none of anybody's rules. */
const ELSEWHERE = '(elsewhere)';
/** Rules that jump deeper the kernel refuses too (NFT_JUMP_STACK_SIZE of nf_tables.h). */
const MAX_JUMPS = 16;

/**
 * Follows a guest's first packet, and the answer to it, through every chain of others that forwarded packets pass. A
 * packet passes where each chain lets it: none can undo another's drop. Rules that go by anything beside interfaces and
 * the connection's state are taken for rules about something else.
 *
 * @param rulesetJson of `nft -j list ruleset`. What iptables-nft has made is in it; what iptables-legacy has is not.
 */
export function findObstacles(rulesetJson: string, bridgeName: string, ourTables: RegExp): FirewallObstacle[] {
  const chains = readChains(rulesetJson).filter((chain) => !ourTables.test(chain.table));
  const packets: readonly Packet[] = [
    { iifname: bridgeName, oifname: ELSEWHERE, state: 'new' },
    { iifname: ELSEWHERE, oifname: bridgeName, state: 'established' },
  ];
  return chains
    .filter(({ hook, type, family }) => hook === 'forward' && type === 'filter' && ['ip', 'inet'].includes(family))
    .flatMap((base) => {
      const walk = new Walk(chains);
      const stopped = packets.some((packet) => walk.verdictOf(base, packet) === 'drop');
      if (!stopped) return [];
      const owner = ownerOf(base, chains);
      const chain = `${base.family} ${base.table} ${base.name}`;
      return [{ owner, chain, what: walk.reason, fix: fixFor(owner, base, bridgeName) }];
    });
}

/** One packet's way through the chains of one table. */
class Walk {
  readonly #chains: readonly Chain[];
  reason = '';

  constructor(chains: readonly Chain[]) {
    this.#chains = chains;
  }

  verdictOf(base: Chain, packet: Packet): 'accept' | 'drop' {
    const verdict = this.#pass(base, packet, 0);
    if (verdict === 'accept' || verdict === 'drop') return verdict;
    if (base.policy !== 'drop') return 'accept';
    this.reason = 'policy drop';
    return 'drop';
  }

  #pass(chain: Chain, packet: Packet, depth: number): Verdict {
    for (const rule of chain.rules) {
      const verdict = this.#apply(rule, { chain, packet, depth });
      if (verdict !== 'continue') return verdict === 'return' ? 'continue' : verdict;
    }
    return 'continue';
  }

  #apply(
    rule: readonly Fields[],
    { chain, packet, depth }: { readonly chain: Chain; readonly packet: Packet; readonly depth: number },
  ): Verdict {
    for (const expression of rule) {
      const [first] = Object.entries(expression);
      if (!first) return 'continue';
      const [kind, value] = first;
      switch (kind) {
        case 'match':
          if (!matches(fields(value), packet)) return 'continue';
          break;
        case 'xt':
          // How iptables-nft of some versions writes `-m conntrack --ctstate RELATED,ESTABLISHED`.
          if (fields(value)['name'] !== 'conntrack' || packet.state !== 'established') return 'continue';
          break;
        case 'counter':
        case 'log':
        case 'limit':
          break;
        case 'accept':
        case 'return':
          return kind;
        case 'drop':
        case 'reject':
          this.reason = `${kind} in ${chain.name}`;
          return 'drop';
        case 'jump':
        case 'goto': {
          const target = this.#chain(chain, String(fields(value)['target']));
          const verdict = target && depth < MAX_JUMPS ? this.#pass(target, packet, depth + 1) : 'continue';
          if (verdict === 'accept' || verdict === 'drop') return verdict;
          return kind === 'goto' ? 'return' : 'continue';
        }
        default:
          return 'continue';
      }
    }
    return 'continue';
  }

  #chain({ family, table }: Chain, name: string): Chain | undefined {
    return this.#chains.find((chain) => chain.family === family && chain.table === table && chain.name === name);
  }
}

function matches({ op, left, right }: Fields, packet: Packet): boolean {
  const meta = fields(fields(left)['meta'])['key'];
  const conntrack = fields(fields(left)['ct'])['key'];
  if (meta === 'iifname' || meta === 'oifname') {
    const isNamed = valuesOf(right).some((name) => isInterface(packet[meta], name));
    return op === '!=' ? !isNamed : isNamed;
  }
  if (conntrack === 'state') {
    const isNamed = valuesOf(right).includes(packet.state);
    return op === '!=' ? !isNamed : isNamed;
  }
  return false;
}

/** `br-*` stands for every name that begins so. */
function isInterface(name: string, pattern: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function valuesOf(right: unknown): readonly string[] {
  const list = Array.isArray(right) ? right : (fields(right)['set'] ?? [right]);
  return (Array.isArray(list) ? list : [list]).filter((value) => typeof value === 'string');
}

/** Docker and ufw write into the same table, where one's accept does for both; Docker's own chain comes first in it. */
function ownerOf(base: Chain, chains: readonly Chain[]): string {
  const beside = chains.filter(({ family, table }) => family === base.family && table === base.table);
  const has = (name: string | RegExp): boolean =>
    beside.some((chain) => (typeof name === 'string' ? chain.name === name : name.test(chain.name)));
  if (has('DOCKER-USER')) return 'Docker';
  if (has(/^ufw-/)) return 'ufw';
  return base.table === 'firewalld' ? 'firewalld' : `table ${base.family} ${base.table}`;
}

function fixFor(owner: string, { family, table, name }: Chain, bridge: string): readonly string[] {
  switch (owner) {
    case 'Docker':
      return [
        `iptables -I DOCKER-USER -i ${bridge} -j ACCEPT`,
        `iptables -I DOCKER-USER -o ${bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
      ];
    case 'ufw':
      // Answers pass already: ufw lets in what belongs to a connection.
      return [`ufw route allow in on ${bridge}`, `ufw allow in on ${bridge}`];
    case 'firewalld':
      return [`firewall-cmd --permanent --zone=trusted --add-interface=${bridge}`, 'firewall-cmd --reload'];
    default:
      return [
        `nft insert rule ${family} ${table} ${name} iifname ${bridge} accept`,
        `nft insert rule ${family} ${table} ${name} oifname ${bridge} ct state established,related accept`,
      ];
  }
}

function readChains(json: string): Chain[] {
  const chains = new Map<string, Chain>();
  const list = fields(JSON.parse(json))['nftables'];
  for (const entry of Array.isArray(list) ? list.map(fields) : []) {
    const chain = fields(entry['chain']);
    const rule = fields(entry['rule']);
    if (typeof chain['name'] === 'string') {
      chains.set(keyOf(chain, chain['name']), {
        family: text(chain['family']) ?? '',
        table: text(chain['table']) ?? '',
        name: chain['name'],
        hook: text(chain['hook']),
        type: text(chain['type']),
        policy: text(chain['policy']),
        rules: [],
      });
    }
    // Chains are told before rules.
    if (Array.isArray(rule['expr'])) chains.get(keyOf(rule, rule['chain']))?.rules.push(rule['expr'].map(fields));
  }
  return [...chains.values()];
}

function keyOf(entry: Fields, chain: unknown): string {
  return [entry['family'], entry['table'], chain].join(' ');
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
