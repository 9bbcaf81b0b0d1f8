// Prevents: a package that works only because npm hoisted a neighbour, a lower layer that learns about a higher one, a
// cycle between packages, and a package root that loads a database driver which its user may not have installed.
import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { importsOf, packageOf } from './imports-of.mjs';
import { filesOf, report, workspacesOf } from './workspaces.mjs';

const LAYERS = [
  [6, /^(tests|bench)$/],
  [5, /^(apps|examples)\//],
  [4, /^services\//],
  [3, /^packages\/(rollout|migration|sync)$/],
  [2, /^packages\/(tokens|sessions|renewal|reliability)$/],
  [1, /^packages\/(shards|http|revocation)$/],
  [0, /^packages\/(core|embedded)$/],
];
/** Optional for the users of a package, so its root must not load them. Each package's optional peers count as well. */
const DRIVERS = new Set(['redis', 'ioredis', 'mongodb', 'mysql2', 'rabbitmq-client', '@aws-sdk/client-dynamodb', 'dynalite']);
/** They judge or imitate what we build, so they share no code with it. Folder, and why. */
const APART = new Map([['examples/crowd', 'the virtual users judge the engine and share no code with it']]);
const TEST_FILE = /\.test(-d)?\.ts$|\/testing\//;

const faults = [];
const packages = workspacesOf().map(({ folder, json }) => {
  const layer = LAYERS.find(([, pattern]) => pattern.test(folder))?.[0];
  if (layer === undefined) faults.push(`${folder}: has no layer in tools/check-imports.mjs`);
  const runtime = new Set(Object.keys({ ...json.dependencies, ...json.peerDependencies, ...json.optionalDependencies, [json.name]: 1 }));
  return { folder, json, layer: layer ?? 0, runtime, development: new Set(Object.keys(json.devDependencies ?? {})) };
});
const own = new Map(packages.map((entry) => [entry.json.name, entry]));
const rootDev = new Set(Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).devDependencies ?? {}));
const sources = new Map();

for (const entry of packages) {
  checkLayers(entry);
  for (const file of filesOf(`${entry.folder}/src/**/*.{ts,tsx,mts}`)) {
    const imports = importsOf(readFileSync(file, 'utf8'));
    sources.set(file, imports);
    for (const { specifier } of imports) checkSpecifier(entry, file, specifier);
  }
}
for (const cycle of cycles()) faults.push(`the packages ${cycle.join(' -> ')} need each other`);
for (const entry of packages) if (entry.folder.startsWith('packages/')) checkRoot(entry);
report('check-imports', faults, `${sources.size} files`);

function checkLayers({ folder, json, layer }) {
  for (const name of Object.keys({ ...json.dependencies, ...json.peerDependencies, ...json.optionalDependencies })) {
    const target = own.get(name);
    if (target && target.layer >= layer && target.folder !== folder) {
      faults.push(`${folder}/package.json: ${name} (layer ${target.layer}) is not below layer ${layer}`);
    }
  }
}

function checkSpecifier(entry, file, specifier) {
  const { folder, runtime, development } = entry;
  if (specifier.startsWith('.')) {
    if (relative(folder, resolve(dirname(file), specifier)).startsWith('..')) faults.push(`${file}: '${specifier}' leaves its package`);
    else if (!existsSync(join(dirname(file), specifier))) faults.push(`${file}: '${specifier}' does not exist (write the .ts extension)`);
    return;
  }
  if (specifier.startsWith('node:')) return;
  if (builtinModules.includes(specifier)) {
    faults.push(`${file}: write 'node:${specifier}'`);
    return;
  }
  const name = packageOf(specifier);
  const target = own.get(name);
  if (target !== undefined && APART.has(folder) && target !== entry) faults.push(`${file}: '${specifier}': ${APART.get(folder)}`);
  const declared = runtime.has(name) || (TEST_FILE.test(file) && (rootDev.has(name) || development.has(name)));
  if (!declared)
    faults.push(`${file}: '${name}' is not declared in ${folder}/package.json${development.has(name) ? ' (for tests only)' : ''}`);
  if (target === undefined) return;
  if (target.layer > entry.layer) faults.push(`${file}: ${name} (layer ${target.layer}) is above layer ${entry.layer}`);
  const subpath = `.${specifier.slice(name.length)}`;
  if (!(subpath in (target.json.exports ?? {}))) faults.push(`${file}: ${name} does not export '${subpath}'`);
}

/** Cycles over every kind of dependency: one of development dependencies stops `tsc -b` as well. */
function cycles() {
  const found = [];
  const finished = new Set();
  const visit = (name, path) => {
    if (path.includes(name)) found.push([...path.slice(path.indexOf(name)), name]);
    if (path.includes(name) || finished.has(name)) return;
    const { runtime, development } = own.get(name);
    for (const next of new Set([...runtime, ...development])) if (next !== name && own.has(next)) visit(next, [...path, name]);
    finished.add(name);
  };
  for (const name of own.keys()) visit(name, []);
  return found;
}

/** Follows what is loaded together with the root of a package. */
function checkRoot({ folder, json }) {
  const start = sourceOf(json.name);
  if (start === undefined) return;
  const optional = Object.entries(json.peerDependenciesMeta ?? {}).flatMap(([name, { optional: is }]) => (is ? [name] : []));
  const drivers = new Set([...DRIVERS, ...optional]);
  const seen = new Set();
  const follow = (file, path) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const { specifier, kind } of sources.get(file) ?? []) {
      if (kind !== 'value') continue;
      if (drivers.has(packageOf(specifier)))
        faults.push(`${folder}: the package root loads '${specifier}' by ${[...path, file].join(' -> ')}`);
      const next = specifier.startsWith('.') ? join(dirname(file), specifier) : sourceOf(specifier);
      if (next !== undefined) follow(next, [...path, file]);
    }
  };
  follow(start, []);
}

/** The source file behind a specifier of ours. */
function sourceOf(specifier) {
  const target = own.get(packageOf(specifier));
  const source = target?.json.exports?.[`.${specifier.slice(packageOf(specifier).length)}`]?.source;
  return source === undefined ? undefined : join(target.folder, source);
}
