/** A value of JSON. Objects have no prototype, so no name in them means anything. */
export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

/** An object of JSON, without a prototype. */
export interface JsonObject {
  [name: string]: JsonValue;
}

/** Options of {@link parseStrictJson}. */
export interface StrictJsonOptions {
  /** Most levels of arrays and objects within each other. */
  readonly maxDepth: number;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Reads JSON (RFC 8259) where two readers must never see different things: undefined for a member that occurs twice
 * (`JSON.parse` keeps the last, others the first), a number outside a double's range, a surrogate without its half,
 * more depth than allowed, or anything after the value. Everything else is as `JSON.parse` has it. Never throws.
 */
export function parseStrictJson(text: string, options: StrictJsonOptions): JsonValue | undefined {
  return new Reader(text, options.maxDepth).document();
}

/** A position in a text. Every method answers undefined for what is not allowed, and the position then means nothing. */
class Reader {
  readonly #text: string;
  readonly #maxDepth: number;
  #at = 0;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  document(): JsonValue | undefined {
    const value = this.#value(0);
    this.#space();
    return this.#at === this.#text.length ? value : undefined;
  }

  #value(depth: number): JsonValue | undefined {
    this.#space();
    switch (this.#text.charAt(this.#at)) {
      case '{':
        return this.#object(depth + 1);
      case '[':
        return this.#array(depth + 1);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true') ? true : undefined;
      case 'f':
        return this.#word('false') ? false : undefined;
      case 'n':
        return this.#word('null') ? null : undefined;
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject | undefined {
    const object = Object.create(null) as JsonObject;
    if (depth > this.#maxDepth) return undefined;
    this.#at++;
    if (this.#next('}')) return object;
    for (;;) {
      this.#space();
      const name = this.#string();
      if (name === undefined || name in object || !this.#next(':')) return undefined;
      const value = this.#value(depth);
      if (value === undefined) return undefined;
      object[name] = value;
      if (this.#next('}')) return object;
      if (!this.#next(',')) return undefined;
    }
  }

  #array(depth: number): JsonValue[] | undefined {
    const array: JsonValue[] = [];
    if (depth > this.#maxDepth) return undefined;
    this.#at++;
    if (this.#next(']')) return array;
    for (;;) {
      const value = this.#value(depth);
      if (value === undefined) return undefined;
      array.push(value);
      if (this.#next(']')) return array;
      if (!this.#next(',')) return undefined;
    }
  }

  #string(): string | undefined {
    const text = this.#text;
    if (text.charCodeAt(this.#at) !== QUOTE) return undefined;
    const start = ++this.#at;
    let escaped = false;
    for (; this.#at < text.length; this.#at++) {
      const unit = text.charCodeAt(this.#at);
      if (unit === QUOTE) return this.#unescaped(start - 1, ++this.#at, escaped);
      if (unit < 0x20) return undefined;
      if (unit === BACKSLASH) {
        escaped = true;
        this.#at++;
      }
    }
    return undefined;
  }

  /** The text between two quotes. What an escape means is left to `JSON.parse`, which is strict about a single string. */
  #unescaped(from: number, to: number, escaped: boolean): string | undefined {
    let value: string;
    if (escaped) {
      try {
        value = JSON.parse(this.#text.slice(from, to)) as string;
      } catch {
        return undefined;
      }
    } else {
      value = this.#text.slice(from + 1, to - 1);
    }
    return value.isWellFormed() ? value : undefined;
  }

  #number(): number | undefined {
    NUMBER.lastIndex = this.#at;
    const match = NUMBER.exec(this.#text);
    if (match === null) return undefined;
    this.#at = NUMBER.lastIndex;
    const value = Number(match[0]);
    return Number.isFinite(value) ? value : undefined;
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  /** Steps over `character`, and the space before it, where it comes next. */
  #next(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    for (;;) {
      const unit = this.#text.charCodeAt(this.#at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.#at++;
    }
  }
}
