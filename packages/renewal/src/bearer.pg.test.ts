import { inject } from 'vitest';
import { bearerSuite } from './testing/bearer-suite.ts';

bearerSuite(() => inject('postgresUrl'));
