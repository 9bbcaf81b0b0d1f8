import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { SessionVersion } from '../record.ts';
import type { SaveIdentity } from '../source/contract.ts';
import { ATTRIBUTES, secondsOf, SESSION_TYPE, type Item } from './item.ts';

/** One conditional UpdateItem. PutItem is never used: it would drop the version and the tombstone. */
export interface Update {
  readonly UpdateExpression: string;
  readonly ConditionExpression: string;
  readonly ExpressionAttributeNames: Record<string, string>;
  readonly ExpressionAttributeValues: Record<string, AttributeValue>;
}

// What a comparison with a missing attribute yields is not left to the service: absence is always named.
/** True of what has no expiry, or one that is still to come. */
export const NOT_EXPIRED = '(attribute_not_exists(#expires) OR #expires > :now)';
const NOT_ENDED = '(attribute_not_exists(#ended) OR #expires <= :now)';
const NOTHING_LIVES = 'attribute_not_exists(#ended) AND (attribute_not_exists(#sess) OR #expires <= :now)';
const NOT_OF_LATER_EPOCH = '(attribute_not_exists(#we) OR #we <= :epoch)';

const TOMBSTONE_LASTS = 'attribute_exists(#ended) AND #expires > :expires';
const NO_TOMBSTONE_LASTS = '(attribute_not_exists(#ended) OR attribute_not_exists(#expires) OR #expires <= :expires)';

/** What every change is told: its writer's epoch, and the time by which expiry is judged. */
export interface UpdateContext {
  readonly now: number;
  readonly epoch: number;
}

/** Writes the next version in the writer's epoch. */
export function saveUpdate(value: string, expireTime: number | null, context: UpdateContext, identity?: SaveIdentity): Update {
  const change = writing(expireTime, '#w = if_not_exists(#w, :zero) + :one', identity !== undefined);
  return update(change, `${NOT_ENDED} AND ${NOT_OF_LATER_EPOCH}${identity === undefined ? '' : ` AND ${sameIdentity(identity)}`}`, {
    ...values(context, expireTime),
    ':sess': { S: value },
    ':mark': { S: identity?.mark ?? '' },
    ':over': { S: identity?.over ?? '' },
  });
}

function sameIdentity({ over }: SaveIdentity): string {
  const replaced = over === '' ? ' OR attribute_not_exists(#wi)' : over === undefined ? '' : ' OR #wi = :over';
  return `(attribute_not_exists(#sess) OR #expires <= :now OR #wi = :mark${replaced})`;
}

/**
 * Writes a version made elsewhere where it is newer, and where it is the same and the session has run out: see `put` in
 * the contract. A tombstone whose time is over still lies there until the store removes it: over that only a newer one.
 */
export function putUpdate(value: string, expireTime: number | null, version: SessionVersion, now: number): Update {
  const isZero = version.epoch === 0 && version.n === 0;
  const same = '#we = :epoch AND #w = :n';
  const applies = isZero
    ? `(attribute_not_exists(#we) OR (${same})) AND ${NOTHING_LIVES}`
    : `(attribute_not_exists(#we) OR #we < :epoch OR (#we = :epoch AND #w < :n) OR (${same} AND ${NOTHING_LIVES}))`;
  return update(writing(expireTime, '#w = :n'), `${NOT_ENDED} AND ${applies}`, {
    ...values({ now, epoch: version.epoch }, expireTime),
    ':sess': { S: value },
    ':n': { N: String(version.n) },
  });
}

/** Sets the expiry of what lives. */
export function touchUpdate(expireTime: number | null, context: UpdateContext): Update {
  const change = expireTime === null ? 'REMOVE #expires' : 'SET #expires = :expires';
  const condition = `attribute_exists(#sess) AND attribute_not_exists(#ended) AND ${NOT_EXPIRED} AND ${NOT_OF_LATER_EPOCH}`;
  return update(change, condition, values(context, expireTime));
}

/**
 * Turns the item into a tombstone. The later epoch and the later expiry of two tombstones stay; there is no maximum in
 * an expression, so what is kept follows from the item as it was read, and the condition sees to it that it still is so.
 */
export function endUpdate(keepUntil: number, context: UpdateContext, item: Item | undefined): Update {
  const laterEpoch = Number(item?.['we']?.N ?? 0) > context.epoch;
  const laterExpiry = item?.['ended'] !== undefined && Number(item['expires']?.N ?? 0) * 1000 > keepUntil;
  const sets = [
    '#ended = :true',
    '#w = if_not_exists(#w, :zero)',
    ...(laterEpoch ? [] : ['#we = :epoch']),
    ...(laterExpiry ? [] : ['#expires = :expires']),
  ];
  const conditions = [laterEpoch ? '#we > :epoch' : NOT_OF_LATER_EPOCH, laterExpiry ? TOMBSTONE_LASTS : NO_TOMBSTONE_LASTS];
  return update(`SET ${sets.join(', ')} REMOVE #sess`, conditions.join(' AND '), values(context, keepUntil));
}

function writing(expireTime: number | null, version: string, marked = false): string {
  const sets = `SET #sess = :sess, #type = :type, #we = :epoch, ${version}${marked ? ', #wi = :mark' : ''}`;
  const removes = marked ? 'REMOVE #ended' : 'REMOVE #ended, #wi';
  return expireTime === null ? `${sets} ${removes}, #expires` : `${sets}, #expires = :expires ${removes}`;
}

function values({ now, epoch }: UpdateContext, expireTime: number | null): Record<string, AttributeValue> {
  return {
    ':now': secondsOf(now),
    ':epoch': { N: String(epoch) },
    ':zero': { N: '0' },
    ':one': { N: '1' },
    ':true': { BOOL: true },
    ':type': { S: SESSION_TYPE },
    ...(expireTime === null ? {} : { ':expires': secondsOf(expireTime) }),
  };
}

function update(change: string, condition: string, candidates: Record<string, AttributeValue>): Update {
  const { names, values } = used(`${change} ${condition}`, candidates);
  return { UpdateExpression: change, ConditionExpression: condition, ExpressionAttributeNames: names, ExpressionAttributeValues: values };
}

/** Only what an expression names: the service refuses the rest. */
export function used(
  expression: string,
  candidates: Record<string, AttributeValue>,
): { names: Record<string, string>; values: Record<string, AttributeValue> } {
  const words = new Set(expression.match(/[#:]\w+/g));
  const pick = <T>(all: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(all).filter(([word]) => words.has(word)));
  return { names: pick(ATTRIBUTES), values: pick(candidates) };
}
