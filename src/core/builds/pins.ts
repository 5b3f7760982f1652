/**
 * What builds fetch from outside, pinned: versions with the integrity of their tarballs, commits that cannot change.
 * The config's `[sources]` can name other ones. To renew: `npm view NAME version dist.integrity`, `git ls-remote URL HEAD`.
 */

export interface NpmPin {
  readonly packageName: string;
  readonly version: string;
  /** Subresource integrity of the tarball. */
  readonly integrity: string;
  /** The program in the unpacked package. */
  readonly file: string;
}

export interface GitPin {
  readonly url: string;
  readonly commit: string;
}

export const MISE: NpmPin = {
  packageName: '@jdxcode/mise-linux-x64',
  version: '2026.9.15',
  integrity: 'sha512-ButPFGyztN0Rk/HOHvHuf+W80CkvQRAjbDWHvhGJc3PnL3e2KhCYZIOyjx8wPkhr9VJa/7sJZXpxtt5JLjsfaQ==',
  file: 'bin/mise',
};

/** Seen to run under software emulation too (`-cpu max`); its server listens there after about 40 s. */
export const OPENCODE: NpmPin = {
  packageName: 'opencode-linux-x64',
  version: '1.18.34',
  integrity: 'sha512-RTAMjCve4euxP2QKLuvRmdoW5J5DQK1DiZqt+7slfixyjAEi79QC2Df2oYKogibaAI4IEU8uzenoJeEl3k+UEw==',
  file: 'bin/opencode',
};

export const TPM: GitPin = {
  url: 'https://github.com/tmux-plugins/tpm',
  commit: 'e261deb1b47614eed3400089ce7197dc68acc4eb',
};

export const TMUX_RESURRECT: GitPin = {
  url: 'https://github.com/tmux-plugins/tmux-resurrect',
  commit: 'cff343cf9e81983d3da0c8562b01616f12e8d548',
};

export const TMUX_CONTINUUM: GitPin = {
  url: 'https://github.com/tmux-plugins/tmux-continuum',
  commit: '0698e8f4b17d6454c71bf5212895ec055c578da0',
};
