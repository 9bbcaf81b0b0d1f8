import { isWherryError } from '@wherry/core';
import { RENEWAL_LIVES, checkTokenLives } from '@wherry/tokens';
import { configFault, shown } from './fault.ts';
import type { Settings } from './schema.ts';
import { variableOf } from './variables.ts';

/** Where a key's value came from; undefined: it is the default. */
export type OriginOf = (key: string) => string | undefined;

/** Checks what no single key can say. Errors: `config_invalid` with the key that would have to change. */
export function checkRules(settings: Settings, originOf: OriginOf): void {
  const refuse = (key: string, is: string, allowed: string): never => {
    const origin = originOf(key);
    throw configFault({ key, ...(origin === undefined ? {} : { origin }), is, allowed });
  };
  const { sessions, tokens, shards, gateway, auth, passwords, source } = settings;
  if (source.format === 'mapped' && source.mapping.lastAccessTime !== undefined && source.mapping.idleTime === undefined)
    refuse('source.mapping.lastAccessTime', 'is set without source.mapping.idleTime', 'both, since the session ends at their sum');
  if (sessions.idleSeconds > sessions.absoluteSeconds) {
    refuse('sessions.idleSeconds', `is ${sessions.idleSeconds}`, `at most sessions.absoluteSeconds, which is ${sessions.absoluteSeconds}`);
  }
  const { accessTokenSeconds } = tokens;
  if (!livesFit(accessTokenSeconds, sessions.absoluteSeconds)) {
    refuse(
      'tokens.accessTokenSeconds',
      `is ${accessTokenSeconds}, with its renewal window ${accessTokenSeconds * (1 + RENEWAL_LIVES)}`,
      `at most ${Math.floor(sessions.absoluteSeconds / (1 + RENEWAL_LIVES))}, a third of sessions.absoluteSeconds`,
    );
  }
  refuseRepeats(
    'shards.list',
    shards.list.map(({ name }) => name),
    (name) => name,
    refuse,
  );
  refuseRepeats(
    'gateway.routes',
    gateway.routes.map(({ prefix }) => prefix),
    (prefix) => prefix,
    refuse,
  );
  if (passwords.breachedFile !== undefined && passwords.breachedUrl !== undefined)
    refuse('passwords.breachedUrl', 'is set beside passwords.breachedFile', 'one of them');
  const bare = auth.clients.find((client) => client.public && client.operator);
  if (bare !== undefined) refuse('auth.clients', `has ${shown(bare.id)}, public and an operator`, 'operators with a secret');
  for (const { id, public: isPublic, grants, jwks, jwksFile } of auth.clients) {
    if (isPublic && (jwks !== undefined || jwksFile !== undefined))
      refuse('auth.clients', `has ${shown(id)}, public and with keys`, 'one of both');
    if (isPublic && grants.includes('client_credentials'))
      refuse('auth.clients', `has ${shown(id)}, public and with the grant client_credentials`, 'that grant with a secret or keys');
    if (jwks !== undefined && jwksFile !== undefined) refuse('auth.clients', `has ${shown(id)} with jwks and jwksFile`, 'one of both');
  }
  // Two ids with one variable would share one secret.
  refuseRepeats(
    'auth.clients',
    auth.clients.map(({ id }) => id),
    (id) => variableOf(id),
    refuse,
  );
}

function refuseRepeats(
  key: string,
  names: readonly string[],
  fold: (name: string) => string,
  refuse: (key: string, is: string, allowed: string) => never,
): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const first = seen.get(fold(name));
    if (first !== undefined)
      refuse(
        key,
        `has ${first === name ? `${shown(name)} twice` : `${shown(first)} and ${shown(name)}, which share a variable`}`,
        'each once',
      );
    seen.set(fold(name), name);
  }
}

/** The rule is that of the tokens; here it is said in the words of the configuration. */
function livesFit(accessTokenSeconds: number, absoluteSeconds: number): boolean {
  try {
    checkTokenLives({ lifeS: accessTokenSeconds, renewalWindowS: accessTokenSeconds * RENEWAL_LIVES, absoluteLifeS: absoluteSeconds });
    return true;
  } catch (error) {
    if (isWherryError(error, 'config_invalid')) return false;
    throw error;
  }
}
