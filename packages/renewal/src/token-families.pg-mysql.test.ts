import { inject } from 'vitest';
import { tokenFamiliesSuite } from './testing/token-families-suite.ts';

// A column is as long as an index of its text may be.
tokenFamiliesSuite(() => inject('mysqlUrl'), { clientId: 'x'.repeat(513) });
