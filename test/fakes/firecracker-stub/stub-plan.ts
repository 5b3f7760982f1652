/** What the stub does that Firecracker would not, or that a guest would. Each by the name of its request. */
export interface StubPlan {
  readonly version?: string;
  /** Answered with 400 and these words. */
  readonly refuse?: Readonly<Record<string, string>>;
  /** Answered with 204; nothing is done. */
  readonly noEffect?: readonly string[];
  /** Never answered. */
  readonly hang?: readonly string[];
  /** It ends so when it is asked: a status, or a signal. */
  readonly die?: Readonly<Record<string, number | NodeJS.Signals>>;
  /** It ends at once, before it listens. */
  readonly exitAtOnce?: { readonly status: number; readonly stderr: string };
  /** It does not listen. */
  readonly isDeaf?: boolean;
  /** It stops to listen, and lets all connections go, once one is made on which nothing is said. */
  readonly isFickle?: boolean;
  /** So many starts show no life on the console. */
  readonly silentBoots?: number;
  /** What the guest prints as it boots. */
  readonly console?: string;
  /** What Ctrl-Alt-Del does: nothing where left out. */
  readonly onCtrlAltDel?: 'reset' | 'panic';
}

export interface StubStart {
  readonly pid: number;
  readonly argv: readonly string[];
}

export const STUB_FILES = { plan: 'plan.json', starts: 'starts.ndjson', requests: 'requests.ndjson' } as const;

/** What the jailer stub tells the Firecracker stub: `/` is this folder. */
export const ROOT_VARIABLE = 'STUB_ROOT';
