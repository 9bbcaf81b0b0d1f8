import { inject } from 'vitest';
import { slotsSuite } from './testing/slots-suite.ts';

slotsSuite(() => inject('postgresUrl'));
