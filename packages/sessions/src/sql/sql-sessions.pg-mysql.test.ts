import { inject } from 'vitest';
import { sqlSessionsSuite } from './testing/sql-sessions-suite.ts';

sqlSessionsSuite(() => inject('mysqlUrl'), { username: 'x'.repeat(600) });
