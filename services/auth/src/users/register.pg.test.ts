import { inject } from 'vitest';
import { registerSuite } from '../testing/register-suite.ts';

registerSuite(
  () => inject('postgresUrl'),
  () => inject('postgresUrl'),
  250,
);
