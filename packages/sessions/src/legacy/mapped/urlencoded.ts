import { isUtf8 } from 'node:buffer';
import { StructureFault, type StructureLimits } from '../structure-decoder.ts';

/** Pairs of `application/x-www-form-urlencoded` (URL Standard section 5.1); a name that comes again makes a list. Throws {@link StructureFault}. */
export function urlencodedSession(bytes: Buffer, { maxNodes }: StructureLimits): object {
  if (!isUtf8(bytes)) throw new StructureFault('malformed', 'the pairs are no UTF-8');
  const pairs = [...new URLSearchParams(bytes.toString('utf8'))];
  if (pairs.length > maxNodes) throw new StructureFault('too_large', `more than ${maxNodes} values`);
  const members = Object.create(null) as Record<string, string | string[]>;
  for (const [name, value] of pairs) {
    const known = members[name];
    if (known === undefined) members[name] = value;
    else if (typeof known === 'string') members[name] = [known, value];
    else known.push(value);
  }
  return members;
}
