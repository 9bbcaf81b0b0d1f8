import { textOfFields } from '../../legacy/spring/fields-text.ts';
import { ATTRIBUTE_PREFIX, CREATION_TIME, MAX_INACTIVE_INTERVAL } from '../../legacy/spring/layout.ts';
import { INTEGER_STREAM, LONG_STREAM } from './number-streams.ts';

const IDLE_SECONDS = 60;
/** A text in a Java stream: `java.lang.String`, which has a type code of its own. */
const STRING_STREAM = Buffer.from('aced000574', 'hex');

/**
 * A session of nobody's with one attribute, serialised as `like` is, since an application that hears of it reads it;
 * where no session lies there, by the JDK.
 */
export function springCanary(like: ReadonlyMap<string, Buffer> | undefined): string {
  const json = like?.get(CREATION_TIME)?.[0] !== undefined && like.get(CREATION_TIME)?.[0] !== STRING_STREAM[0];
  const created = Date.now();
  const fields = new Map([
    [CREATION_TIME, json ? Buffer.from(String(created)) : withNumber(LONG_STREAM, 8, BigInt(created))],
    [MAX_INACTIVE_INTERVAL, json ? Buffer.from(String(IDLE_SECONDS)) : withNumber(INTEGER_STREAM, 4, BigInt(IDLE_SECONDS))],
    [`${ATTRIBUTE_PREFIX}canary`, json ? Buffer.from('"canary"') : Buffer.concat([STRING_STREAM, Buffer.from('\0\u0006canary')])],
  ]);
  return textOfFields(fields);
}

function withNumber(stream: Buffer, size: number, value: bigint): Buffer {
  const number = Buffer.from(value.toString(16).padStart(size * 2, '0'), 'hex');
  return Buffer.concat([stream, number]);
}
