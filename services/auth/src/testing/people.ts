import { expect } from 'vitest';
import { COMMON, type Answer, type Running } from './service.ts';

/** Everybody's password. */
export const PASSWORD = 'correct horse battery';

/** A user who has registered. */
export interface Registered {
  readonly username: string;
  readonly userId: string;
}

/** A user who is signed in. */
export interface Login extends Registered {
  readonly sessionToken: string;
  readonly accessToken: string;
}

let count = 0;

/** A name that nobody has. */
export function newName(): string {
  return `user${++count}`;
}

/** Registers a new user; with `authorities` by the hand of the operator. */
export async function register(auth: Running, authorities?: readonly string[]): Promise<Registered> {
  const username = newName();
  const operator = authorities === undefined ? {} : { bearer: COMMON.operatorSecret };
  const answer = await auth.send('POST', '/v1/users', { body: { username, password: PASSWORD, authorities }, ...operator });
  expect(answer.status).toBe(201);
  return { username, userId: String(answer.body['userId']) };
}

/** Signs in a user, or a new one. */
export async function logIn(auth: Running, username?: string): Promise<Login> {
  const name = username ?? (await register(auth)).username;
  const { status, body } = await auth.send('POST', '/v1/login', { body: { username: name, password: PASSWORD } });
  expect(status).toBe(200);
  return { username: name, ...(body as unknown as Omit<Login, 'username'>) };
}

/** The claims of a token, unverified. */
export function claims(token: unknown): Record<string, unknown> {
  const [, payload = ''] = String(token).split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
}

/** Expects a problem document with this status and code. */
export function expectProblem({ status, headers, body }: Answer, expected: number, code: string): void {
  expect([status, body['code'], headers.get('content-type')]).toEqual([expected, code, 'application/problem+json']);
  expect([body['type'], body['status'], headers.get('cache-control')]).toEqual([`urn:wherry:error:${code}`, expected, 'no-store']);
}
