export { tokenFamilySchema } from './schema.ts';
