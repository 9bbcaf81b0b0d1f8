import { WherryError } from '@wherry/core';
import { ShardSet, type ShardSetOptions } from '@wherry/shards';
import type { Faults } from './faults.ts';

type QueryArrays = ShardSet['queryArrays'];
type ReadRows = ShardSet['readRows'];

/** Real shards whose statements fail where `faults` say so. */
export class FaultyShards extends ShardSet {
  readonly #faults: Faults;

  constructor(options: ShardSetOptions, faults: Faults) {
    super(options);
    this.#faults = faults;
  }

  override async queryArrays(...args: Parameters<QueryArrays>): ReturnType<QueryArrays> {
    const [, { name }] = args;
    return this.#faults.strike(name, () => super.queryArrays(...args), failure);
  }

  override async readRows(...args: Parameters<ReadRows>): ReturnType<ReadRows> {
    const [, { name }] = args;
    return this.#faults.strike(name, () => super.readRows(...args), failure);
  }
}

function failure(): WherryError {
  return new WherryError('shard_unavailable', 'the shard was made to fail');
}
