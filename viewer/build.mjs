/** Build the viewer into one file of scripts and one of styles, with the notices of what it holds. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import dcmjs from "dcmjs";
import * as esbuild from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const TARGET = resolve(process.argv[2] ?? join(HERE, "../medmm/web/viewer"));
const ALLOWED = new Set(["MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "0BSD", "Unlicense", "CC0-1.0"]);
const LICENCE_FILES = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "license", "LICENSE-MIT"];
const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;
const MOST_BYTES = 4 * 1024 * 1024;

const result = await esbuild.build({
  absWorkingDir: HERE,
  entryPoints: { viewer: "src/main.js" },
  outdir: TARGET,
  write: false,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
  // Cornerstone imports these for what this viewer never does: each file says what.
  alias: {
    dcmjs: join(HERE, "absent/dcmjs.js"),
    xmlbuilder2: join(HERE, "absent/xmlbuilder2.js"),
    "clipper2-ts": join(HERE, "absent/clipper2.js"),
  },
  plugins: [{ name: "keywords", setup: addKeywords }],
  define: { "process.env.NODE_ENV": '"production"' },
});

mkdirSync(TARGET, { recursive: true });
const files = Object.fromEntries(
  result.outputFiles.map(({ path, contents }) => [path.split("/").at(-1), Buffer.from(contents)]),
);
files["viewer.css"] = Buffer.from(
  (await esbuild.transform(readFileSync(join(HERE, "src/viewer.css"), "utf8"), { loader: "css", minify: true })).code,
);
files["THIRD_PARTY_NOTICES.txt"] = Buffer.from(notices(packagesIn(result.metafile)));
const size = files["viewer.js"].length;
if (size > MOST_BYTES) throw new Error(`viewer.js has ${size} bytes, at most ${MOST_BYTES} are allowed`);
const digests = Object.fromEntries(
  Object.keys(files).sort().map((name) => [name, createHash("sha256").update(files[name]).digest("hex")]),
);
files["digests.json"] = Buffer.from(`${JSON.stringify(digests, null, 2)}\n`);
for (const [name, contents] of Object.entries(files)) writeFileSync(join(TARGET, name), contents);
console.log(`${TARGET}: viewer.js ${size} bytes`);

/** Give the dictionary's keywords as lines of name, tag, value representation and multiplicity. */
function addKeywords(build) {
  build.onResolve({ filter: /^keywords$/ }, ({ path }) => ({ path, namespace: "keywords" }));
  build.onLoad({ filter: /.*/, namespace: "keywords" }, () => {
    const { nameMap } = dcmjs.data.DicomMetaDictionary;
    const rows = Object.entries(nameMap)
      .filter(([name, entry]) => entry?.name === name && /^\([0-9A-F,]{9}\)$/i.test(entry.tag))
      .map(([name, { tag, vr, vm }]) => `${name} ${tag.slice(1, 5)}${tag.slice(6, 10)} ${vr} ${vm}`);
    return { contents: rows.join("\n"), loader: "text" };
  });
}

/** List the folders of the packages whose code went into the bundle. */
function packagesIn({ outputs }) {
  const found = new Set();
  for (const { inputs } of Object.values(outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const folder = path.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0];
      if (folder && bytesInOutput > 0) found.add(folder);
    }
  }
  return [...found].sort();
}

function notices(folders) {
  const parts = folders.map((folder) => {
    const about = createRequire(import.meta.url)(join(HERE, folder, "package.json"));
    const licence = typeof about.license === "string" ? about.license : about.licenses?.[0]?.type;
    const names = licence?.replace(/[()]/g, "").split(/ (?:OR|AND) /) ?? [];
    if (names.length === 0 || !names.some((name) => ALLOWED.has(name))) {
      throw new Error(`${about.name} ${about.version} has the licence ${licence}`);
    }
    return `${about.name} ${about.version}\nLicence: ${licence}\n\n${textOf(folder, about)}`;
  });
  const rule = `\n${"-".repeat(78)}\n\n`;
  return `The viewer holds code of these packages.\n${rule}${parts.join(rule)}`;
}

/** Read the text of a package's licence; of an MIT one without a file the text is known. */
function textOf(folder, { name, author, license }) {
  for (const file of LICENCE_FILES) {
    try {
      return `${readFileSync(join(HERE, folder, file), "utf8").trim()}\n`;
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
  if (license !== "MIT") throw new Error(`${name} carries no text of its licence ${license}`);
  return `Copyright (c) ${author?.name ?? author ?? `the authors of ${name}`}\n\n${MIT}`;
}
