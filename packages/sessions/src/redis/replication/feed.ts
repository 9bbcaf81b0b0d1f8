import type { FeedEvent, FeedPosition, FollowedFeed, SourceChange, SourceChangeFeed } from '../../source/change-feed.ts';
import { checkPrefix } from '../companion-key.ts';
import { readCommand } from './command-reader.ts';
import { ReplicationLink, type LinkAnswer, type LinkPosition } from './link.ts';
import { SessionChanges, type RawIdOf, type SessionChangesOptions } from './session-changes.ts';
import { SideClient } from './side-client.ts';
import { readSnapshot } from './snapshot.ts';

/** Options of {@link createRedisReplicationFeed}. */
export interface RedisReplicationOptions {
  /** `redis://` or `rediss://` of one server, with the database as its path. Its user needs `psync`, `replconf`, `ping`, `info` and what a source needs. */
  readonly url: string;
  /** What the keys of the sessions start with; default `sess:`. */
  readonly prefix?: string;
  /** Which keys under the prefix are sessions; default: all, and the id is what stands behind the prefix. */
  readonly rawIdOf?: RawIdOf;
  /** True: values need not be text, as in the source of the same name. */
  readonly bytes?: boolean;
  /** The source's clock, epoch ms; default: this machine's. Needed for servers before 7.0, which tell lives from now. */
  readonly now?: () => number;
  /** How long a call may take, ms; default 2000. */
  readonly timeoutMs?: number;
}

/** Changes, or keys of a snapshot, that are told at a time. */
const BATCH = 500;
/** How often the primary is told how far we are; it gives a replica up after `repl-timeout`, 60 s. */
const ACKNOWLEDGE_MS = 1000;

/**
 * The changes of a Redis as its replicas get them: a snapshot, then every command that changed something, with removals
 * that ran out among them (Redis documentation, "How Redis replication works"). Each place in the stream is a number of
 * bytes, so a reader that was away goes on where it stopped, as long as the primary's backlog reaches back so far
 * (`repl-backlog-size`, `repl-backlog-ttl`), also at a replica that was promoted meanwhile. Needs Redis 6.2 or newer.
 *
 * The primary counts this connection as a replica: `WAIT` and `min-replicas-to-write` may be satisfied by it.
 */
export function createRedisReplicationFeed(options: RedisReplicationOptions): SourceChangeFeed {
  checkPrefix(options.prefix ?? 'sess:');
  return new RedisReplicationFeed(options);
}

class RedisReplicationFeed implements SourceChangeFeed {
  readonly kind = 'redis-replication';
  readonly reliable = true;
  readonly #options: RedisReplicationOptions;
  readonly #side: SideClient;

  constructor(options: RedisReplicationOptions) {
    this.#options = options;
    this.#side = new SideClient(options.url, options.timeoutMs ?? 2000);
  }

  follow(from: FeedPosition | null, signal: AbortSignal): FollowedFeed {
    const told = { offset: from?.at ?? 0 };
    return {
      acknowledge: ({ at }) => {
        told.offset = at;
      },
      [Symbol.asyncIterator]: () => this.#events(from, signal, told),
    };
  }

  async head(): Promise<FeedPosition> {
    const info = String(await this.#side.ask('INFO', 'replication'));
    const history = /^master_replid:(\w+)/m.exec(info)?.[1] ?? '';
    return { history, at: Number(/^master_repl_offset:(\d+)/m.exec(info)?.[1] ?? 0), detail: '' };
  }

  async close(): Promise<void> {
    await this.#side.close();
  }

  async *#events(from: FeedPosition | null, signal: AbortSignal, told: { offset: number }): AsyncGenerator<FeedEvent> {
    const url = new URL(this.#options.url);
    const link = await ReplicationLink.open(url, signal);
    const close = (): void => link.close();
    signal.addEventListener('abort', close);
    let acknowledging: NodeJS.Timeout | undefined;
    try {
      const answer = await link.begin(from === null ? undefined : linkPosition(from));
      const selected = answer.resumed ? Number(from?.detail) : 0;
      yield { type: 'begun', resumed: answer.resumed, position: { history: answer.history, at: answer.offset, detail: String(selected) } };
      if (!answer.resumed) {
        told.offset = answer.offset;
        yield* this.#snapshot(link, databaseOf(url));
      }
      acknowledging = setInterval(() => link.acknowledge(told.offset), ACKNOWLEDGE_MS);
      link.acknowledge(told.offset);
      const changes = new SessionChanges(this.#sessions(url), selected);
      yield* stream(link, answer, changes, told);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearInterval(acknowledging);
      signal.removeEventListener('abort', close);
      link.close();
    }
  }

  #sessions(url: URL): SessionChangesOptions {
    const { prefix = 'sess:', rawIdOf, bytes = false, now = Date.now } = this.#options;
    return { prefix, bytes, now, database: databaseOf(url), ...(rawIdOf === undefined ? {} : { rawIdOf }) };
  }

  async *#snapshot(link: ReplicationLink, database: number): AsyncGenerator<FeedEvent> {
    const { prefix = 'sess:', rawIdOf = (key: string) => key.slice(prefix.length) } = this.#options;
    let rawIds: string[] = [];
    const keys = readSnapshot(link.reader);
    for (;;) {
      const next = await keys.next();
      if (next.done === true) {
        if (rawIds.length > 0) yield { type: 'present', rawIds };
        if (next.value) yield { type: 'present-end' };
        return;
      }
      const key = next.value.key.toString('utf8');
      if (next.value.database !== database || !key.startsWith(prefix) || key.length === prefix.length) continue;
      const rawId = rawIdOf(key);
      if (rawId !== undefined) rawIds.push(rawId);
      if (rawIds.length < BATCH) continue;
      yield { type: 'present', rawIds };
      rawIds = [];
    }
  }
}

async function* stream(
  link: ReplicationLink,
  { history, offset }: LinkAnswer,
  sessions: SessionChanges,
  told: { readonly offset: number },
): AsyncGenerator<FeedEvent> {
  const { reader } = link;
  const begun = reader.count;
  let changes: SourceChange[] = [];
  let position: FeedPosition | undefined = { history, at: offset, detail: String(sessions.database) };
  for (;;) {
    // The first of all says only that the stream has begun.
    if (position !== undefined && (reader.available === 0 || changes.length >= BATCH || position.at === offset)) {
      yield { type: 'changes', changes, position };
      changes = [];
      position = undefined;
    }
    const command = await readCommand(reader);
    if (command.name === 'REPLCONF') link.acknowledge(told.offset);
    const found = sessions.add(command);
    // A reading never goes on from within a transaction: its first half would be missing.
    const place: FeedPosition = { history, at: offset + reader.count - begun, detail: String(sessions.database) };
    if (found === 'cleared') {
      if (changes.length > 0) yield { type: 'changes', changes, position: place };
      changes = [];
      yield { type: 'cleared', position: place };
      continue;
    }
    changes.push(...found);
    if (sessions.settled) position = place;
  }
}

/** What was checkpointed, or nothing where it makes no sense any more. */
function linkPosition({ history, at, detail }: FeedPosition): LinkPosition | undefined {
  return /^[0-9a-f]{40}$/.test(history) && /^\d+$/.test(detail) ? { history, offset: at } : undefined;
}

function databaseOf(url: URL): number {
  const text = url.pathname.slice(1);
  return text === '' ? 0 : Number(text);
}
