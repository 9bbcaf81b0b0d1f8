import { inject } from 'vitest';
import { racesSuite } from './testing/races-suite.ts';

// The names of the prepared statements.
racesSuite(() => inject('postgresUrl'), { begin: 'family-begin', rotate: 'family-rotate', step: 'family-step' });
