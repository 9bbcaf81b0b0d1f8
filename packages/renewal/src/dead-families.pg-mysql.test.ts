import { inject } from 'vitest';
import { deadFamiliesSuite } from './testing/dead-families-suite.ts';

deadFamiliesSuite(() => inject('mysqlUrl'));
