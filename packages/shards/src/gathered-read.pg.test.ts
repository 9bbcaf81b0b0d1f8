import { inject } from 'vitest';
import { gatheredReadSuite } from './testing/gathered-read-suite.ts';

gatheredReadSuite(() => inject('postgresUrl'));
