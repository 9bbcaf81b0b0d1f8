import { inject } from 'vitest';
import { racesSuite } from './testing/races-suite.ts';

// Parts of the text that no other statement has.
racesSuite(() => inject('mysqlUrl'), {
  begin: 'INSERT INTO token_family',
  rotate: 's.previous_digest = FROM_BASE64(o.presented)',
  step: 's.previous_digest = FROM_BASE64(o.previous_digest)',
});
