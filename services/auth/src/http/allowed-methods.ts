import type { FastifyInstance } from 'fastify';

/** Which methods a path takes, for those who came with another one (RFC 9110 section 15.5.6). Knows the routes that are added after it. */
export class AllowedMethods {
  readonly #routes: { readonly segments: readonly string[]; readonly methods: readonly string[] }[] = [];

  constructor(app: FastifyInstance) {
    app.addHook('onRoute', ({ url, method }) => {
      this.#routes.push({ segments: url.split('/'), methods: typeof method === 'string' ? [method] : method });
    });
  }

  /** Sorted; empty where no route has this path. */
  of(url: string): readonly string[] {
    const segments = (url.split('?', 1)[0] ?? '').split('/');
    const matching = this.#routes.filter(
      (route) =>
        route.segments.length === segments.length &&
        route.segments.every((segment, at) => (segment.startsWith(':') ? segments[at] !== '' : segment === segments[at])),
    );
    return [...new Set(matching.flatMap(({ methods }) => methods))].toSorted();
  }
}
