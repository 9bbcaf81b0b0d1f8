import { inject } from 'vitest';
import { sqlSessionsSuite } from './testing/sql-sessions-suite.ts';

sqlSessionsSuite(() => inject('postgresUrl'), { username: 'nul\0' });
