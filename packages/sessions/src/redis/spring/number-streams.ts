/** The stream of a `java.lang.Long` up to its eight bytes. */
export const LONG_STREAM: Buffer = stream('000e6a6176612e6c616e672e4c6f6e673b8be490cc8f23df0200014a');
/** The stream of a `java.lang.Integer` up to its four bytes. */
export const INTEGER_STREAM: Buffer = stream('00116a6176612e6c616e672e496e746567657212e2a0a4f781873802000149');

/** Both are a field `value` under `java.lang.Number`: the class and what its own part says, then what they share. */
function stream(own: string): Buffer {
  const shared = '000576616c7565787200106a6176612e6c616e672e4e756d62657286ac951d0b94e08b0200007870';
  return Buffer.from(`aced00057372${own}${shared}`, 'hex');
}
