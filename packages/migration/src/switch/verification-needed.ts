/** The two sides have to be compared before the step can go on: a process lapsed, reads differed, or nothing was compared yet. */
export class VerificationNeeded extends Error {
  override readonly name = 'VerificationNeeded';
}
