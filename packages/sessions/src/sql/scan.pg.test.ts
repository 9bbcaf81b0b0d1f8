import { inject } from 'vitest';
import { scanSuite } from './testing/scan-suite.ts';

scanSuite(() => inject('postgresUrl'));
