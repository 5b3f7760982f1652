/** A git repository of a test's own, whatever the user's config says. */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface TestRepository {
  readonly dir: string;
  git(...args: readonly string[]): string;
  write(path: string, content: string, mode?: number): Promise<void>;
}

export function openTestRepository(dir: string): TestRepository {
  return {
    dir,
    git: (...args) =>
      execFileSync('git', ['-C', dir, ...args], {
        encoding: 'utf8',
        env: {
          PATH: process.env['PATH'],
          GIT_CONFIG_GLOBAL: '/dev/null',
          GIT_CONFIG_NOSYSTEM: '1',
          GIT_AUTHOR_NAME: 'Ann Author',
          GIT_AUTHOR_EMAIL: 'ann@example.org',
          GIT_COMMITTER_NAME: 'Ann Author',
          GIT_COMMITTER_EMAIL: 'ann@example.org',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    async write(path, content, mode = 0o644) {
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), content, { mode });
    },
  };
}

/** With one commit of one file, on branch `main`. */
export async function makeTestRepository(dir: string): Promise<TestRepository> {
  await mkdir(dir, { recursive: true });
  const repository = openTestRepository(dir);
  repository.git('init', '--quiet', '--initial-branch=main');
  repository.git('config', 'user.name', 'Ann Author');
  repository.git('config', 'user.email', 'ann@example.org');
  await repository.write('README', 'first\n');
  repository.git('add', '--all');
  repository.git('commit', '--quiet', '--message=first');
  return repository;
}
