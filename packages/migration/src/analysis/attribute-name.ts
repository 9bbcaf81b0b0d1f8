const SHOWN = 60;
/** Longer names are taken for data, however often they occur. */
const LONGEST_NAME = 128;
const SECRET = /passw|secret|token|csrf|xsrf|nonce|api_?key|private|credential|signature|otp|pin$|auth_?hash/i;
/** Letters, digits, punctuation and symbols stay; what turns lines or writing directions does not. */
const UNPRINTABLE = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]|[\u{e0000}-\u{e0fff}]|\p{Default_Ignorable_Code_Point}/gu;

/** A name as reports and comments show it: one line, cut, every character that could act escaped. */
export function printableName(name: string): string {
  const whole = Array.from(name.slice(0, SHOWN * 2));
  const cut = whole.slice(0, SHOWN).join('');
  const ending = whole.length > SHOWN || name.length > SHOWN * 2 ? '…' : '';
  return cut.toWellFormed().replaceAll(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`) + ending;
}

/** True for a name that is data rather than a word of a program: an address, a number, a token, a key of a map. */
function looksLikeData(name: string): boolean {
  if (name.length > 40 || /[@/\\:]/.test(name) || /(.*\d){4}/.test(name)) return true;
  return /^[0-9a-f-]{12,}$/i.test(name) || (name.length >= 16 && /\d/.test(name) && /[a-z]/.test(name) && /[A-Z]/.test(name));
}

/** True for a name that must not be shown: a rare one that looks like data, or one too long to be a name. */
export function mustMask(name: string, share: number): boolean {
  return name.length > LONGEST_NAME || (share < 0.5 && (looksLikeData(name) || name.trim() === ''));
}

/** True for the name of an attribute that seems to keep a secret. */
export function looksSecret(name: string): boolean {
  return SECRET.test(name);
}
