// Writes the TypeScript declarations of the contract, from wit/ to types/.
//
// `jco types` does the same from Node.js 22 on.

import { $init, generateTypes } from '@bytecodealliance/jco-transpile/component';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const contract = 'wit/deps/postgate-plugin';

/** The contract in one text: the world, and behind it the package that it refers to. */
function wit() {
  const files = readdirSync(contract).sort();
  const texts = files.map((file) => readFileSync(join(contract, file), 'utf8'));
  const header = /(?:^\/\/\/.*\n)*^package (.*);\n/m;
  const name = texts.map((text) => header.exec(text)?.[1]).find(Boolean);
  const body = texts.map((text) => text.replace(header, '')).join('\n');
  return `${readFileSync('wit/plugin.wit', 'utf8')}\npackage ${name} {\n${body}}\n`;
}

await $init;
const files = generateTypes('plugin', {
  wit: { tag: 'source', val: wit() },
  world: 'plugin',
  features: { tag: 'list', val: [] },
  guest: true,
  tlaCompat: false,
});
for (const [name, contents] of files) {
  const path = join('types', name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, contents);
}
