// Writes docs/errors.md from the registry of error codes, so that the page cannot tell of codes that do not exist.
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const REGISTRY = 'packages/core/src/error-codes.ts';
export const ERRORS_PAGE = join('docs', 'errors.md');

/** The page's text for the registry of the workspace in the current folder. */
export async function errorsPage() {
  const { ERROR_CODES } = await import(pathToFileURL(resolve(REGISTRY)).href);
  const rows = Object.entries(ERROR_CODES)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { status, meaning }]) => `| \`${code}\` | ${status} | ${meaning.replaceAll('|', '\\|')} |`);
  return [
    '# Errors',
    '',
    'Every error that leaves the system is a problem document (RFC 9457) whose member `code` is one of these. A code is stable:',
    'it is never renamed, and never used again for something else. Answers with status 503 carry `Retry-After`.',
    '',
    `This page is made from [the registry](../${REGISTRY}) by \`npm run docs:errors\`.`,
    '',
    '| code | status | meaning |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

if (import.meta.main) writeFileSync(ERRORS_PAGE, await errorsPage());
