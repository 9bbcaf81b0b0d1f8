export { untilBlocked } from './blocked.ts';
export { startCluster } from './cluster.ts';
export type { Addresses, Cluster, ClusterOptions, Connections } from './cluster.ts';
export { openTransaction, type OpenTransaction } from './open-transaction.ts';
