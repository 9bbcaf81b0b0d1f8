import { startPostgres } from '@wherry/embedded';
import { inject } from 'vitest';
import { touchBufferSuite } from './testing/touch-buffer-suite.ts';

touchBufferSuite(
  () => inject('postgresUrl'),
  async () => {
    const server = await startPostgres();
    return { ...server, address: server.url('postgres') };
  },
);
