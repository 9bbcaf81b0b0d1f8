/** Joins concurrent calls for one key into one: the first runs, the others wait for its result or its error. */
export class SingleFlight<K, V> {
  readonly #flights = new Map<K, Promise<V>>();

  /** Runs `load` unless a run for `key` is under way; answers the result of whichever run it joined. */
  run(key: K, load: () => Promise<V>): Promise<V> {
    const flying = this.#flights.get(key);
    if (flying !== undefined) return flying;
    const flight = begin(load).finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  /** How many keys are under way. */
  get size(): number {
    return this.#flights.size;
  }
}

/** Begins at once; what is thrown before the first await is a rejection as well. */
async function begin<V>(load: () => Promise<V>): Promise<V> {
  return load();
}
