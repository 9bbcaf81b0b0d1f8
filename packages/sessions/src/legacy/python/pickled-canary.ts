import { textOfBytes } from '../../source/text-of-bytes.ts';

/** `{"canary": "canary"}` in protocol 2, which every Python reads, as a source of bytes hands it over. */
export const PICKLED_CANARY: string = textOfBytes(Buffer.from('\u0080\u0002}X\u0006\0\0\0canaryX\u0006\0\0\0canarys.', 'latin1'));
