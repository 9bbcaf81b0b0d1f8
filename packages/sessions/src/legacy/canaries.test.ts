import { describe, expect, test } from 'vitest';
import { SESSION_FORMATS } from './formats.ts';
import { mappedFormat } from './mapped/mapped-format.ts';
import { MAPPED_VALUES } from './mapped/mapping.ts';

const mapped = MAPPED_VALUES.map((value) => mappedFormat({ value, timeUnit: 'ms', idleUnit: 's', cookie: 'plain' }));

describe('a canary', () => {
  test.each([...SESSION_FORMATS, ...mapped].filter(({ canary }) => canary !== undefined))(
    'of $name is a session of nobody',
    ({ canary, decoder }) => {
      expect(decoder({ identity: { userId: 'user.id' } })(canary ?? '')).toMatchObject({
        ok: true,
        session: { userId: null, attributes: canary },
      });
    },
  );

  test('is there for every format that hands over bytes', () => {
    for (const { bytes, canary } of [...SESSION_FORMATS, ...mapped]) expect(bytes !== true || canary !== undefined).toBe(true);
  });
});
