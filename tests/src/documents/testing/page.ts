import { readFileSync } from 'node:fs';

/** A block of code in a page. */
export interface Block {
  /** The first word behind the ticks. */
  readonly language: string;
  /** The words behind it, which readers do not see. */
  readonly words: readonly string[];
  readonly text: string;
  /** Of its first line of text. */
  readonly line: number;
}

/** A command and what it is said to answer. */
export interface Example {
  readonly command: Block;
  readonly answer: Block | undefined;
}

/** The text of a page below docs. */
export function pageOf(name: string): string {
  return readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8');
}

/** Its blocks of code, in order. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  for (const match of page.matchAll(/^```(\S+)([^\n]*)\n([^]*?)^```$/gm)) {
    const [, language = '', words = '', text = ''] = match;
    const line = page.slice(0, match.index).split('\n').length + 1;
    blocks.push({ language, words: words.split(' ').filter((word) => word !== ''), text, line });
  }
  return blocks;
}

/** Each command for the shell with the answer that stands next to it. */
export function examplesOf(page: string): Example[] {
  const blocks = blocksOf(page);
  return blocks.flatMap((command, at) => {
    if (command.language !== 'sh') return [];
    const next = blocks[at + 1];
    return [{ command, answer: next?.language === 'http' || next?.language === 'json' ? next : undefined }];
  });
}
