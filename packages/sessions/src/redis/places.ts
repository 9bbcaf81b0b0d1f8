import { WherryError } from '@wherry/core';
import type { SourcePartition } from '../source/contract.ts';
import { CLUSTER_SLOTS } from './cluster-slot.ts';
import type { RedisConnection } from './connection.ts';
import { PLACE } from './scripts.ts';

/** What one master says of itself. */
interface Place {
  readonly address: string;
  readonly incarnation: string;
  readonly life: string;
  /** Its id in the cluster; empty outside of one. */
  readonly id: string;
  /** As `CLUSTER NODES` lists them: `0-5460`, `7`, and `[93-<-id]` for one on its way. */
  readonly slots: readonly string[];
}

/** The server outside of a cluster. */
const ONLY = '0';

/** Which servers hold the sessions, by what each of them says of itself: a client may have heard of a change late. */
export class Places {
  readonly #redis: RedisConnection;
  /** Address by partition, as of the last look. */
  readonly #addresses = new Map<string, string>();

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /**
   * A partition for each server that has slots. None can be scanned while slots are on their way: a session would be missed
   * that leaves a node before its scan for one whose scan is over. So it is while they are that `source_unavailable` is thrown.
   */
  async partitions(): Promise<readonly SourcePartition[]> {
    const places = await this.#look();
    const moving = places.flatMap(({ slots }) => slots.filter((slot) => slot.startsWith('['))).length;
    if (moving > 0)
      throw new WherryError('source_unavailable', 'slots of the Redis Cluster are being moved; scans wait until that is over');
    return places
      .filter(({ id, slots }) => id === '' || slots.length > 0)
      .map(({ id, incarnation }) => ({ id: id === '' ? ONLY : id, incarnation }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Where a partition is; undefined: nobody is that any more. */
  async addressOf(partition: string): Promise<string | undefined> {
    if (!this.#addresses.has(partition)) await this.#look();
    return this.#addresses.get(partition);
  }

  /** The lives of all masters, those without slots included: slots can come to them any time. */
  async lives(): Promise<readonly string[]> {
    return (await this.#look()).map(({ life }) => life).toSorted();
  }

  async #look(): Promise<readonly Place[]> {
    const places = (await this.#redis.onMasters(PLACE, [])).map(({ address, reply }): Place => {
      const [incarnation = '', life = '', id = '', slots = ''] = reply as readonly string[];
      return { address, incarnation, life, id, slots: slots.split(' ').filter((slot) => slot !== '') };
    });
    check(places);
    this.#addresses.clear();
    for (const { id, address } of places) this.#addresses.set(id === '' ? ONLY : id, address);
    return places;
  }
}

/** Every slot is had by one server, and all of them are masters. */
function check(places: readonly Place[]): void {
  if (places.some(({ life }) => life === 'replica')) throw new WherryError('source_unavailable', 'a server of the source is a replica now');
  if (places.every(({ id }) => id === '')) return;
  const owned = places.flatMap(({ slots }) => slots.filter((slot) => !slot.startsWith('[')).map(range));
  const sorted = owned.toSorted((a, b) => a.from - b.from);
  let next = 0;
  for (const { from, to } of sorted) next = from === next ? to + 1 : Number.NaN;
  if (next !== CLUSTER_SLOTS)
    throw new WherryError('source_unavailable', 'the nodes of the Redis Cluster do not agree on who has which slot, or one is away');
}

function range(text: string): { from: number; to: number } {
  const [from = '', to = from] = text.split('-');
  return { from: Number(from), to: Number(to) };
}
