// Prevents: links that lead nowhere, and a page of error codes that is behind the code.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ERRORS_PAGE, errorsPage } from './errors-page.mjs';
import { filesOf, report } from './workspaces.mjs';

const LINK = /\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g;

const faults = [];
const files = filesOf('**/*.md');
for (const file of files) {
  for (const [, link] of prose(file).matchAll(LINK)) {
    if (/^[a-z][a-z0-9+.-]*:/i.test(link)) continue;
    const [path, anchor] = decodeURI(link).split('#');
    const target = path === '' ? file : join(dirname(file), path);
    if (!existsSync(target)) faults.push(`${file}: '${link}' leads nowhere`);
    else if (anchor && target.endsWith('.md') && statSync(target).isFile() && !anchorsOf(target).has(anchor)) {
      faults.push(`${file}: '${link}' names a heading that ${target} does not have`);
    }
  }
}
if (!existsSync(ERRORS_PAGE) || readFileSync(ERRORS_PAGE, 'utf8') !== (await errorsPage())) {
  faults.push(`${ERRORS_PAGE} is behind the registry: npm run docs:errors`);
}
report('check-docs', faults, `${files.length} pages`);

/** The text without code, in which brackets mean something else. */
function prose(file) {
  return readFileSync(file, 'utf8')
    .replaceAll(/^(`{3,}|~{3,})[\s\S]*?^\1/gm, '')
    .replaceAll(/`[^`\n]*`/g, '');
}

/** Anchors as GitHub makes them from headings; a repeated heading gets a number. */
function anchorsOf(file) {
  const anchors = new Set();
  for (const [, heading] of readFileSync(file, 'utf8')
    .replaceAll(/^(`{3,}|~{3,})[\s\S]*?^\1/gm, '')
    .matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(/\s/g, '-');
    let unique = slug;
    for (let n = 1; anchors.has(unique); n++) unique = `${slug}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}
