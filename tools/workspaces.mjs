// What the checks know about the workspace that they run in: the current folder.
import { globSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';

const UNSEEN = new Set(['node_modules', 'dist', '.git', '.wherry', 'coverage', 'results']);

/** Files of the repository that match `pattern`, without what is installed, built or measured. */
export function filesOf(pattern) {
  return globSync(pattern, { exclude: (name) => UNSEEN.has(name.split('/').at(-1)) }).toSorted();
}

/** Every workspace: its folder and its package.json. */
export function workspacesOf() {
  const { workspaces } = JSON.parse(readFileSync('package.json', 'utf8'));
  return filesOf(workspaces.map((pattern) => `${pattern}/package.json`)).map((file) => ({
    folder: dirname(file),
    json: JSON.parse(readFileSync(file, 'utf8')),
  }));
}

/** Prints the faults and ends the process: 1 where there is one. */
export function report(name, faults, summary) {
  for (const fault of faults) console.error(fault);
  console.log(`${name}: ${summary}, ${faults.length} faults`);
  process.exit(faults.length > 0 ? 1 : 0);
}
