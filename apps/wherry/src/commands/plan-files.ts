import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WherryError } from '@wherry/core';
import { mappingFile, reportHtml, schemaSql, type SchemaProposal, type SourceAnalysis } from '@wherry/migration';

/** Writes schema, mapping and report of a plan into a folder, over those of an earlier one, and answers their paths. Errors: `config_invalid`. */
export async function writePlan(folder: string, analysis: SourceAnalysis, proposal: SchemaProposal): Promise<readonly string[]> {
  const files: [string, string][] = [
    ['schema.postgresql.sql', schemaSql(proposal, 'postgresql')],
    ['schema.mysql.sql', schemaSql(proposal, 'mysql')],
    ['mapping.json', `${JSON.stringify(mappingFile(analysis, proposal), undefined, 2)}\n`],
    ['report.html', reportHtml(analysis, proposal)],
  ];
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, text] of files) await writeFile(join(folder, name), text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new WherryError('config_invalid', `--out is ${folder}, which cannot be written to; allowed is a folder`, { cause: error });
  }
  return files.map(([name]) => join(folder, name));
}
