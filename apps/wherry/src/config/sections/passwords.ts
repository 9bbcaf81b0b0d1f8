/** What is asked of a new password beside its length: at most one list of breached ones. */
export interface PasswordsSection {
  readonly breachedFile?: string;
  readonly breachedUrl?: string;
}

export const passwordsSchema = {
  type: 'object',
  description: 'New passwords: where breached ones are looked up. Without a list any that is long enough is taken.',
  additionalProperties: false,
  default: {},
  properties: {
    breachedFile: {
      type: 'string',
      description: 'A file with one SHA-1 a line in rising order, as Have I Been Pwned gives it out.',
      minLength: 1,
      maxLength: 4096,
    },
    breachedUrl: {
      type: 'string',
      description: 'A range service (k-anonymity); asked as URL/ABCDE.',
      pattern: '^https?://[^\\s?#@]{1,500}$',
      'x-allowed': 'https://host/path without user, query and fragment',
    },
  },
} as const;
