// Answers calls of the viewer's pure functions: a list of [module, function, arguments] on the input.
// An argument {"call": [module, function, arguments]} is answered first.
import { readFileSync } from "node:fs";

const [folder] = process.argv.slice(2);

async function answer([name, wanted, given]) {
  const found = (await import(`${folder}/${name}.js`))[wanted];
  if (typeof found !== "function") return Object.keys(found);
  const known = [];
  for (const one of given) known.push(one?.call ? await answer(one.call) : one);
  return found(...known);
}

const answers = [];
for (const call of JSON.parse(readFileSync(0, "utf8"))) answers.push(await answer(call));
process.stdout.write(JSON.stringify(answers));
