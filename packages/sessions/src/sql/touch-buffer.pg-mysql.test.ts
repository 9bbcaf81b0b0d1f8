import { startMariadb } from '@wherry/embedded';
import { inject } from 'vitest';
import { touchBufferSuite } from './testing/touch-buffer-suite.ts';

touchBufferSuite(
  () => inject('mysqlUrl'),
  async () => {
    const server = await startMariadb();
    return { ...server, address: server.url('mysql') };
  },
);
