import type { SessionRecord } from './record.ts';

/** The attributes of a session that is born here: the application that it was begun with, and the session that it stands for. */
export function ownAttributes(clientId: string, siblingOf?: bigint): string {
  return JSON.stringify({ clientId, ...(siblingOf === undefined ? {} : { siblingOf: siblingOf.toString() }) });
}

/** The application that a session was begun with, where it is known. */
export function clientIdOf(record: Pick<SessionRecord, 'attributes'>): string | undefined {
  return attributeOf(record, 'clientId');
}

/** The id of the session that a row stands for, which is another one's. */
export function siblingOf(record: Pick<SessionRecord, 'attributes' | 'sourceRef'>): bigint | undefined {
  // What an application has written into its own session says nothing here.
  const id = record.sourceRef === null ? attributeOf(record, 'siblingOf') : undefined;
  return id !== undefined && /^[1-9]\d{0,18}$/.test(id) ? BigInt(id) : undefined;
}

function attributeOf({ attributes }: Pick<SessionRecord, 'attributes'>, name: 'clientId' | 'siblingOf'): string | undefined {
  const value = (JSON.parse(attributes === '' ? '{}' : attributes) as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' ? value : undefined;
}
