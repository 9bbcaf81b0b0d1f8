/** An export that cannot be compared: unreadable, cut off, or not of the documented form. */
export class DumpFault extends Error {
  override readonly name = 'DumpFault';
}
