// Prevents: a package that works only because npm hoisted a neighbour, and a lower layer that learns about a higher one.
import { existsSync, globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

const LAYERS = [
  [5, /^(apps|examples)\//],
  [4, /^services\//],
  [3, /^packages\/(rollout|migration|sync)$/],
  [2, /^packages\/(tokens|sessions|reliability)$/],
  [1, /^packages\/(shards|http|revocation)$/],
  [0, /^packages\/(core|embedded)$/],
];
const layerOf = (folder) => LAYERS.find(([, pattern]) => pattern.test(folder))?.[0] ?? 2;
const SPECIFIER = /(?:^|[\s;}])(?:from|import)\s*\(?\s*(['"`])([^'"`\n]+)\1/g;
const packages = globSync('{packages,services,apps,examples}/*/package.json').map((file) => {
  const json = JSON.parse(readFileSync(file, 'utf8'));
  const runtime = new Set(Object.keys({ ...json.dependencies, ...json.peerDependencies, ...json.optionalDependencies, [json.name]: 1 }));
  return { folder: dirname(file), json, runtime, layer: layerOf(dirname(file)) };
});
const own = new Map(packages.map((entry) => [entry.json.name, entry]));
const rootDev = new Set(Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).devDependencies));
const faults = [];
let files = 0;

for (const { folder, json, runtime, layer } of packages) {
  for (const name of Object.keys(json.dependencies ?? {})) {
    const target = own.get(name);
    if (target && target.layer >= layer) faults.push(`${folder}/package.json: ${name} (layer ${target.layer}) is not below layer ${layer}`);
  }
  for (const file of globSync(`${folder}/src/**/*.{ts,tsx,mts}`)) {
    files++;
    const test = /\.test(-d)?\.ts$|\/testing\//.test(file);
    for (const [, , specifier] of readFileSync(file, 'utf8').matchAll(SPECIFIER)) {
      if (specifier.startsWith('.')) {
        if (relative(folder, resolve(dirname(file), specifier)).startsWith('..')) faults.push(`${file}: '${specifier}' leaves its package`);
        else if (!existsSync(join(dirname(file), specifier)))
          faults.push(`${file}: '${specifier}' does not exist (write the .ts extension)`);
        continue;
      }
      if (specifier.startsWith('node:')) continue;
      if (builtinModules.includes(specifier)) {
        faults.push(`${file}: write 'node:${specifier}'`);
        continue;
      }
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      const declared = runtime.has(name) || (test && (rootDev.has(name) || name in (json.devDependencies ?? {})));
      if (!declared) faults.push(`${file}: '${name}' is not declared in ${folder}/package.json`);
    }
  }
}
for (const fault of faults) console.error(fault);
console.log(`check-imports: ${files} files, ${faults.length} faults`);
process.exit(faults.length > 0 ? 1 : 0);
