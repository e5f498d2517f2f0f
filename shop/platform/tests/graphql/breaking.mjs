// Whether the schema still has everything that was published, by a program of others.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { MODULES, SCHEMA, PUBLISHED } = process.env;
const require = createRequire(`${MODULES}/`);
const { diff } = require("@graphql-inspector/core");
const { buildSchema } = require("graphql");
const read = (path) => buildSchema(readFileSync(path, "utf8"));

const changes = await diff(read(PUBLISHED), read(SCHEMA));
const breaking = changes.filter((it) => it.criticality.level === "BREAKING");
for (const { message } of breaking) console.error(`breaking: ${message}`);
console.log(`schema: ${changes.length} changes since it was published, ${breaking.length} of them breaking`);
process.exit(breaking.length === 0 ? 0 : 1);
