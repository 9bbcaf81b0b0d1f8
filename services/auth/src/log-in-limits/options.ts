/** How many log-ins may fail, and how many may register. 0 for a number: no bound. */
export interface LogInLimitOptions {
  /** For one account from one address, in a row; default 10. */
  readonly failuresPerAccountAndAddress?: number;
  /** For one account from all addresses together; default 100, the most that NIST SP 800-63B section 3.2.2 allows. */
  readonly failuresPerAccount?: number;
  /** Until one more may fail for the account, seconds; default 60. */
  readonly accountRefillSeconds?: number;
  /** From one address, whatever the account; default 100. */
  readonly failuresPerAddress?: number;
  /** Until one more may fail from the address, seconds; default 6. */
  readonly addressRefillSeconds?: number;
  /** How long an account's owner is let in from an address where he has signed in, whatever fails elsewhere, days; default 30; 0: not at all. */
  readonly knownAddressDays?: number;
  /** Registrations from one address, those for a name that is taken too; default 30. */
  readonly registrationsPerAddress?: number;
  /** Until one more may register from the address, seconds; default 60. */
  readonly registrationRefillSeconds?: number;
  /** Longest wait for the control database before this instance counts by itself, milliseconds; default 1000. */
  readonly controlMs?: number;
}
