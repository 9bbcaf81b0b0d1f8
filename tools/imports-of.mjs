// The import specifiers of a TypeScript file, found by pattern: no parser of TypeScript 7 is offered to scripts.

/** Strings, to be kept, and comments, to be dropped: an example in a comment is no import. */
const STRING_OR_COMMENT = /(['"])(?:\\.|(?!\1)[^\\\n])*\1|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|(?<!:)\/\/[^\n]*/g;
const SPECIFIER = /(?<![\w$.'"`])(?:(import|export)\s+(type\s)?([^'"`;()=]*?)\bfrom\s*|(import)\s*\(\s*|(import)\s*)(['"])([^'"\n]+)\6/g;

/**
 * What `source` imports. `kind`: `value` is loaded with the file, `type` never, `dynamic` when the line runs (or is a
 * type query, which looks the same).
 */
export function importsOf(source) {
  const code = source.replace(STRING_OR_COMMENT, (text) => (text.startsWith('/') ? ' ' : text));
  return [...code.matchAll(SPECIFIER)].map(([, , type, , dynamic, , , specifier]) => ({
    specifier,
    kind: dynamic !== undefined ? 'dynamic' : type !== undefined ? 'type' : 'value',
  }));
}

/** The package that a specifier names: `@a/b/c` is in `@a/b`. */
export function packageOf(specifier) {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
