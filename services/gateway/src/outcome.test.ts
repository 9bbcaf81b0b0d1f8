import { WherryError } from '@wherry/core';
import { expect, it } from 'vitest';
import { refusalOf } from './outcome.ts';

it('the body of a refusal is ASCII, whatever its text holds, and as long as it says', () => {
  const detail = 'shard süd 日本 👩‍🚀 cannot be reached';
  const { headers, body } = refusalOf('jwt', new WherryError('shard_unavailable', detail)).answer;
  expect(body).toMatch(/^[ -~]*$/);
  expect(headers[headers.indexOf('Content-Length') + 1]).toBe(String(body.length));
  expect(JSON.parse(body)).toMatchObject({ code: 'shard_unavailable', detail });
});
