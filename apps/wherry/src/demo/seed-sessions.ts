import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { request } from 'undici';

/** Has so many users sign in at the legacy application, and keeps who they are in a file for the crowd. */
export async function seedSessions(legacyUrl: string, count: number, file: string): Promise<void> {
  const { statusCode, body } = await request(`${legacyUrl}/seed`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ from: 1, count }),
    bodyTimeout: 0,
    headersTimeout: 0,
  });
  if (statusCode !== 200) throw new Error(`the legacy application refused to sign users in: ${statusCode} ${await body.text()}`);
  await pipeline(Readable.from(body), createWriteStream(file, { mode: 0o600 }));
}
