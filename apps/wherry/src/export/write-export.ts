import { open } from 'node:fs/promises';
import { WherryError } from '@wherry/core';
import { footerLine, headerLine } from './export-line.ts';

/** How an export went. */
export interface Written {
  readonly sessions: number;
}

/**
 * Writes an export as it comes, to a new file that only this user can read: it names users. Memory does not grow with
 * it. A run that fails leaves a file without its last line, which nobody takes for whole. Errors: `config_invalid` for a
 * file that is there or cannot be made.
 */
export async function writeExport(
  path: string,
  side: 'source' | 'target',
  pages: AsyncGenerator<readonly string[]>,
  now: () => number,
): Promise<Written> {
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    throw new WherryError('config_invalid', `--out is ${path}, which is there already or cannot be made; allowed is a new file`, {
      cause: error,
    });
  });
  try {
    let sessions = 0;
    await file.write(`${headerLine(side, Math.round(now()))}\n`);
    for await (const lines of pages) {
      sessions += lines.length;
      if (lines.length > 0) await file.writeFile(`${lines.join('\n')}\n`);
    }
    await file.writeFile(`${footerLine(sessions, Math.round(now()))}\n`);
    await file.sync();
    return { sessions };
  } finally {
    await file.close();
  }
}
