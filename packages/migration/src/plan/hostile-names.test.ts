import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AttributeProfiles } from '../analysis/attribute-profiles.ts';
import { ColumnNames } from './column-names.ts';
import { proposeColumns } from './column-proposal.ts';

test('column names have one plain form and are never the same, whatever attributes are called', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.string({ unit: 'binary', maxLength: 80 }), { minLength: 1, maxLength: 3 }), { maxLength: 60 }),
      (paths) => {
        const names = new ColumnNames(['id', 'slot']);
        const taken = paths.map((path) => names.take(path));
        expect(new Set(taken).size).toBe(taken.length);
        for (const name of taken) expect(name).toMatch(/^(?!id$|slot$)[a-z][a-z0-9_]{0,55}$/);
      },
    ),
  );
});

test.each([
  [['userId'], 'user_id'],
  [['USER', 'select'], 'user_select'],
  [['Größe'], 'gro_e'],
  [['7 days'], 'a_7_days'],
  [['🚀'], 'attribute'],
  [["x'); DROP TABLE user_session; --"], 'x_drop_table_user_session'],
])('%j is the column %s', (path, name) => {
  expect(new ColumnNames([]).take(path)).toBe(name);
});

test('columns are given for what is common, typed, short and no secret, and all else has a reason', () => {
  const profiles = new AttributeProfiles('salt');
  for (let n = 0; n < 100; n++)
    profiles.add({
      cookie: { path: '/' },
      user: { id: n, tenant: `t${n}` },
      csrfToken: 'x',
      mixed: n % 2 === 0 ? 1 : 'one',
      long: 'x'.repeat(5000),
      tags: ['a'],
      ...(n < 20 ? { rare: true } : {}),
    });
  const { columns, refused } = proposeColumns(profiles.report(), profiles.sessions, ['user.id'], new ColumnNames([]));
  expect(columns.map(({ name, type }) => [name, type.is])).toEqual([['user_tenant', 'text']]);
  const reasons = new Map(
    refused.map(({ profile, reason }) => [
      JSON.stringify(profile.path.map((step) => (step.to === 'member' ? step.name : step.to))),
      reason,
    ]),
  );
  expect(reasons.get('["csrfToken"]')).toContain('like a secret');
  expect(reasons.get('["mixed"]')).toContain('mixed types');
  expect(reasons.get('["long"]')).toContain('5000 characters');
  expect(reasons.get('["rare"]')).toBe('only in 20.0 % of the sessions');
  expect(reasons.get('["user","id"]')).toContain('stands in user_id');
  expect(reasons.get('["tags","items"]')).toContain('inside of an array');
  expect(reasons.get('["cookie","path"]')).toContain("session software's own");
});
