/** DataLad's configuration procedures that come with it: the same files and the same commits, without Python. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { runAnnex } from './annex-batch.ts';
import { appendAttributes, readAttributes } from './attributes.ts';
import { commitChanges } from './commit.ts';
import { hasAnnex } from './presence.ts';
import { readConfig } from './read-config.ts';
import { git, type Repo } from './repo.ts';
import { scanWorktree } from './worktree.ts';

const PROCEDURES: Readonly<Record<string, (repo: Repo) => Promise<void>>> = { text2git, yoda, noannex };

/**
 * Finds procedures by name, with or without DataLad's prefix `cfg_`.
 *
 * Throws `usage` for a name that is not known.
 */
export function procedures(names: readonly string[]): readonly ((repo: Repo) => Promise<void>)[] {
  return names.map((name) => {
    const known = Object.entries(PROCEDURES).find(([label]) => name === label || name === `cfg_${label}`);
    if (known) return known[1];
    throw new RepriseError('usage', `There is no procedure ${name}; known are ${Object.keys(PROCEDURES).join(', ')}`, {
      hints: ['reprise create -c text2git PATH'],
    });
  });
}

/** Everything these procedures may write, relative to the root. */
export const PROCEDURE_FILES = [
  '.gitattributes',
  '.noannex',
  'CHANGELOG.md',
  'README.md',
  'code/.gitattributes',
  'code/README.md',
] as const;

const TEXT_TO_GIT = '((mimeencoding=binary)and(largerthan=0))';

async function text2git(repo: Repo): Promise<void> {
  const value = await readAttributes(repo, ['annex.largefiles'], ['*']);
  if (value('*', 'annex.largefiles') !== TEXT_TO_GIT)
    appendAttributes(repo, '.gitattributes', [`* annex.largefiles=${TEXT_TO_GIT}`]);
  await commitAll(repo, ['.gitattributes'], 'Instruct annex to add text files to Git');
}

const YODA_FILES = {
  'code/README.md': `All custom code goes into this directory. All scripts should be written such
that they can be executed from the root of the dataset, and are only using
relative paths for portability.
`,
  'README.md': `# Project <insert name>

## Dataset structure

- All inputs (i.e. building blocks from other sources) are located in
  \`inputs/\`.
- All custom code is located in \`code/\`.
`,
  'CHANGELOG.md': '',
} as const;

async function yoda(repo: Repo): Promise<void> {
  const touched = ['code/README.md', 'code/.gitattributes', 'README.md', 'CHANGELOG.md', '.gitattributes'];
  await refuseUnsaved(repo, touched);
  for (const [path, text] of Object.entries(YODA_FILES)) {
    mkdirSync(dirname(join(repo.root, path)), { recursive: true });
    writeFileSync(join(repo.root, path), text);
  }
  appendAttributes(repo, 'code/.gitattributes', ['* annex.largefiles=nothing']);
  appendAttributes(repo, '.gitattributes', [
    'CHANGELOG.md annex.largefiles=nothing',
    'README.md annex.largefiles=nothing',
  ]);
  await commitAll(repo, touched, 'Apply YODA dataset setup');
}

/** A procedure writes over what is there: that must be in the last commit. Ignored files are not, either. */
async function refuseUnsaved(repo: Repo, paths: readonly string[]): Promise<void> {
  const changed = (await scanWorktree(repo, { untracked: 'all', paths })).map((entry) => entry.path);
  const ignored = await git(repo, ['check-ignore', '--', ...paths], { accept: [0, 1] });
  const hidden = ignored.stdout
    .toString('utf8')
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(repo.root, path)));
  const unsaved = [...changed, ...hidden];
  if (unsaved.length === 0) return;
  throw new RepriseError('dataset-dirty', `The procedure would write over unsaved content: ${unsaved.join(', ')}`, {
    hints: ['reprise status', 'reprise save'],
    data: { paths: unsaved },
  });
}

async function noannex(repo: Repo): Promise<void> {
  if (await hasAnnex(repo)) {
    if (annexHoldsContent(repo)) {
      throw new RepriseError('annex-failed', `The annex of ${repo.root} holds content; it is not given up`, {
        hints: ['git annex unannex .'],
      });
    }
    await runAnnex(repo, ['uninit']);
  }
  if (existsSync(join(repo.root, '.noannex'))) return;
  writeFileSync(join(repo.root, '.noannex'), '');
  await commitAll(repo, ['.noannex'], 'Added .noannex to prevent accidental initialization of git-annex');
}

function annexHoldsContent(repo: Repo): boolean {
  const objects = join(repo.commonDir, 'annex/objects');
  return existsSync(objects) && readdirSync(objects).length > 0;
}

async function commitAll(repo: Repo, paths: readonly string[], message: string): Promise<void> {
  await commitChanges(repo, await readConfig(repo), {
    changes: paths.map((path) => ({ path })),
    message: `${message}\n`,
    toGit: true,
  });
}
