import { inject } from 'vitest';
import { tokenFamiliesSuite } from './testing/token-families-suite.ts';

tokenFamiliesSuite(() => inject('postgresUrl'), { clientId: 'a\0b' });
