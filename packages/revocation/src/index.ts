export type { RevocationView } from './view.ts';
