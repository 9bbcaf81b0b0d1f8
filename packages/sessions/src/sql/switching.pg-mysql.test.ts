import { inject } from 'vitest';
import { switchingSuite } from './testing/switching-suite.ts';

switchingSuite(() => inject('mysqlUrl'));
