export { createDynamoSource, type DynamoSourceOptions } from './source.ts';
export type { DynamoSender } from './table.ts';
