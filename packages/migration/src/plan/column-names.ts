const LONGEST = 48;
/** Names that the table has already, and those that databases give to columns of their own. */
const SYSTEM = ['ctid', 'cmax', 'cmin', 'oid', 'tableoid', 'xmax', 'xmin'];

/**
 * Makes column names of attribute names: lower-case letters, digits and `_`, at most 48 characters, no two the same in
 * any case. Nothing of a hostile name is left that could act; reserved words are harmless because names are quoted.
 */
export class ColumnNames {
  readonly #taken: Set<string>;

  constructor(taken: readonly string[]) {
    this.#taken = new Set([...taken, ...SYSTEM]);
  }

  /** The name for the attribute at the end of these member names. */
  take(names: readonly string[]): string {
    const base = slug(names.map(words).join('_'));
    let name = base;
    for (let n = 2; this.#taken.has(name); n++) name = `${base}_${n}`;
    this.#taken.add(name);
    return name;
  }
}

/** `userId` and `user-id` as `user_id`; accents fall off. */
function words(name: string): string {
  return name
    .slice(0, 200)
    .normalize('NFKD')
    .replaceAll(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

function slug(text: string): string {
  const plain = text
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
    .slice(0, LONGEST)
    .replaceAll(/_+$/g, '');
  if (plain === '') return 'attribute';
  return /^\d/.test(plain) ? `a_${plain}` : plain;
}
