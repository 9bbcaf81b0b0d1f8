const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * True when no bracket of a JSON text lies deeper than `max`; told before the text is parsed, so that a hostile one
 * costs one pass over it. Says nothing of whether the text is JSON.
 */
export function depthWithin(text: string, max: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE:
        i = stringEnd(text, i);
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > max) return false;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      default:
    }
  }
  return true;
}

/** Index of the quote that ends the string starting at `start`; the end of the text where there is none. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    // Bounded by the string's own start: a quote counts as escaped after an odd number of backslashes.
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}
