import { inject } from 'vitest';
import { modelSuite } from './testing/model-suite.ts';

modelSuite(() => inject('mysqlUrl'), 8);
