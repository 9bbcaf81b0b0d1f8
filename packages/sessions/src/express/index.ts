export { connectWherry, wrapStore, type ConnectOptions, type WherryHandle } from './connect.ts';
export { WrappedStore, type WrappedStoreOptions } from './wrap-store.ts';
