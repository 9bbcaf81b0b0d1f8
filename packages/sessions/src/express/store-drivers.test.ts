import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** Loads the entry point and the drivers in a process of its own in which `missing` are not installed. */
async function loadedWithout(...missing: readonly string[]): Promise<unknown> {
  const hooks = `
    import { registerHooks } from 'node:module';
    const missing = ${JSON.stringify(missing)};
    registerHooks({
      resolve(specifier, context, next) {
        if (!missing.includes(specifier)) return next(specifier, context);
        throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
      },
    });`;
  const script = `
    await import(${JSON.stringify(new URL('index.ts', import.meta.url).href)});
    const { loadStoreDrivers } = await import(${JSON.stringify(new URL('store-drivers.ts', import.meta.url).href)});
    const { redis, dynamodb, mongodb } = await loadStoreDrivers();
    console.log(JSON.stringify([redis, dynamodb, mongodb].map((driver) => driver !== undefined)));`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=source',
    `--import=data:text/javascript,${encodeURIComponent(hooks)}`,
    '--input-type=module',
    '--eval',
    script,
  ]);
  return JSON.parse(stdout);
}

test.each([
  [[], [true, true, true]],
  [['redis'], [false, true, true]],
  [['@aws-sdk/client-dynamodb'], [true, false, true]],
  [['mongodb'], [true, true, false]],
  [
    ['redis', '@aws-sdk/client-dynamodb', 'mongodb'],
    [false, false, false],
  ],
])('an application without %j loads what it has', async (missing, loaded) => {
  expect(await loadedWithout(...missing)).toEqual(loaded);
});
