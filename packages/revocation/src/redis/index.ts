export { RevocationStream, type RevocationStreamOptions, type RevocationStreamStats } from './revocation-stream.ts';
