import { randomBytes } from 'node:crypto';
import { WherryError } from '@wherry/core';
import { detectLayout, formatsOf, type SessionFormat, type SourceSession, type SourceStore } from '@wherry/sessions';
import { requireSource, requireSourceFormat, type WherryConfig } from '../config/index.ts';
import type { Environment } from '../config/secrets.ts';
import { openSource } from '../roles/source.ts';
import type { Terminal } from '../terminal.ts';
import type { PlanOptions } from './plan.ts';

/** An open source and the format that it has. */
export interface PlannedSource {
  readonly source: SourceStore;
  readonly format: SessionFormat;
  /** The configured bound of sessions a second; 0: none. */
  readonly rate: number;
}

/** Sessions looked at to tell one format from the others. */
const PROBED = 40;
/** A format that the store does not have shows in nothing being found: the search must not last. */
const PROBE_MS = 2000;

/**
 * Opens the source that the options or the configuration name. Where no format is given, each that its kind of store
 * may have is tried on a few sessions, and the one that most of them have is taken; of an empty source the usual one.
 * Errors: `config_invalid`; those of opening and reading a source.
 */
export async function openPlannedSource(
  load: (environment: Environment) => WherryConfig,
  { environment }: Terminal,
  options: PlanOptions,
): Promise<PlannedSource> {
  const settings = settingsOf(environment, options);
  const config = load(settings);
  const { kind } = requireSource(config);
  const withFormat = (name: string): WherryConfig => load({ ...settings, WHERRY_SOURCE_FORMAT: name });
  const asked = options.format ?? config.source.format;
  const format = asked === undefined ? await bestFormat(kind, withFormat) : requireSourceFormat(withFormat(asked));
  return { source: await openSource(withFormat(format.name)), format, rate: config.migrator.rate };
}

/** The environment, with what the options say in place of what it says. */
function settingsOf(environment: Environment, { source, prefix }: PlanOptions): Environment {
  const { WHERRY_MASTER_KEY: key, WHERRY_MASTER_KEY_FILE: file, WHERRY_SOURCE_URL_FILE: urlFile, ...others } = environment;
  return {
    ...others,
    ...(file === undefined ? {} : { WHERRY_MASTER_KEY_FILE: file }),
    ...(key === undefined ? {} : { WHERRY_MASTER_KEY: key }),
    ...(source === undefined ? (urlFile === undefined ? {} : { WHERRY_SOURCE_URL_FILE: urlFile }) : { WHERRY_SOURCE_URL: source }),
    ...(prefix === undefined ? {} : { WHERRY_SOURCE_PREFIX: prefix }),
    // It seals the cursors of the scan; those of a plan are kept by nobody.
    ...(key === undefined && file === undefined ? { WHERRY_MASTER_KEY: randomBytes(32).toString('base64') } : {}),
  };
}

/**
 * The format that most of some sessions have. Errors: what opening or reading it by any format said, where no format could
 * be read, or where the keys show one that this store cannot have.
 */
async function bestFormat(kind: string, withFormat: (name: string) => WherryConfig): Promise<SessionFormat> {
  const formats = formatsOf(kind);
  let best: { readonly format: SessionFormat; readonly matching: number } | undefined;
  const faults = new Map<string, Error>();
  const shownByKeys = new Set<string>();
  for (const format of formats) {
    try {
      const { entries, shown } = await probe(await openSource(withFormat(format.name)));
      const { layout, matching } = detectLayout({ store: kind, entries });
      const told = storeSameValues(formats, shown, layout);
      if (told && shown !== undefined) shownByKeys.add(shown);
      const named = told ? shown : layout;
      if (named === format.name && matching > (best?.matching ?? 0)) best = { format, matching };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      // A format may need what this store has not, e.g. another prefix, another shape of table or all keys on one server.
      faults.set(format.name, error);
    }
  }
  if (best !== undefined) return best.format;
  const fault = [...shownByKeys].map((name) => faults.get(name)).find((each) => each !== undefined);
  if (fault !== undefined) throw fault;
  const [usual] = formats;
  if (usual === undefined) throw new WherryError('config_invalid', `no session format is known for ${kind}`);
  const [first] = faults.values();
  if (first !== undefined && faults.size === formats.length) throw first;
  return usual;
}

/** Of formats that store the same values the keys tell which it is. */
function storeSameValues(formats: readonly SessionFormat[], one: string | undefined, other: string): boolean {
  const [a, b] = [one, other].map((sought) => formats.find(({ name }) => name === sought));
  return a !== undefined && b !== undefined && a.decoder === b.decoder;
}

async function probe(source: SourceStore): Promise<{ readonly entries: readonly SourceSession[]; readonly shown: string | undefined }> {
  const entries: SourceSession[] = [];
  const deadline = performance.now() + PROBE_MS;
  let shown: string | undefined;
  try {
    for (const partition of await source.partitions()) {
      let cursor: string | null = null;
      do {
        const page = await source.scan(partition, cursor, PROBED);
        entries.push(...page.sessions.filter(({ ended }) => !ended));
        cursor = page.next;
      } while (cursor !== null && entries.length < PROBED && performance.now() < deadline);
    }
    if (entries.length > 0) shown = await source.layout?.();
  } finally {
    await source.close();
  }
  return { entries, shown };
}
