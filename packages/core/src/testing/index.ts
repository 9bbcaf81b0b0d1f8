export { createControlDatabase, type ControlDatabase } from './control-database.ts';
