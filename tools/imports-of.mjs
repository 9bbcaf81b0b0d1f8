// The import specifiers of a TypeScript file, found by pattern: no parser of TypeScript 7 is offered to scripts.

/** Strings, comments and templates: an example, or a script for another process, is no import. */
const STRING_OR_REST = /(['"])((?:\\.|(?!\1)[^\\\n])*)\1|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*/g;
/** In text whose strings have become numbers in quotes. */
const IMPORT = /(?<![\w$.])(?:(?:import|export)\s+(type\s)?[^"`;()=]*?\bfrom\s*|(import)\s*\(\s*|import\s*)"(\d+)"/g;

/**
 * What `source` imports. `kind`: `value` is loaded with the file, `type` never, `dynamic` when the line runs (or is a
 * type query, which looks the same).
 */
export function importsOf(source) {
  const strings = [];
  const code = source.replace(STRING_OR_REST, (_, quote, text) => (quote === undefined ? ' ' : `"${strings.push(text) - 1}"`));
  return [...code.matchAll(IMPORT)].map(([, type, dynamic, index]) => ({
    specifier: strings[Number(index)],
    kind: dynamic !== undefined ? 'dynamic' : type !== undefined ? 'type' : 'value',
  }));
}

/** The package that a specifier names: `@a/b/c` is in `@a/b`. */
export function packageOf(specifier) {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
