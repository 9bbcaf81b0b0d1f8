import { inject } from 'vitest';
import { slotOwnersSuite } from './testing/slot-owners-suite.ts';

slotOwnersSuite(() => inject('mysqlUrl'));
