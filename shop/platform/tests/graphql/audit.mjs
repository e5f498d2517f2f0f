// How a running shop speaks GraphQL over HTTP, judged by a program of others: all of its checks hold, or the run fails.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { SHOP_URL, MODULES, SCHEMA } = process.env;
const require = createRequire(`${MODULES}/`);
const { auditServer } = require("graphql-http");
const { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } = require("graphql");
const url = `${SHOP_URL}/graphql`;

/** The checks of graphql-http 1.23.1. */
const CHECKS = 61;

const results = await auditServer({ url });
const bad = results.filter((it) => it.status !== "ok");
for (const { id, name, status, reason } of bad) console.error(`${status} ${id} ${name}: ${reason}`);
console.log(`audit: ${results.length - bad.length} of ${results.length} ok`);
assert.equal(results.length, CHECKS);
assert.equal(bad.length, 0);

// The usual tools ask for the schema like this, and must understand the answer.
const post = (query) => fetch(url, {
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ query }),
});
const { data, errors } = await (await post(getIntrospectionQuery())).json();
assert.equal(errors, undefined);
const printed = (schema) => printSchema(lexicographicSortSchema(schema));
const [served, kept] = [buildClientSchema(data), buildSchema(readFileSync(SCHEMA, "utf8"))].map(printed);
assert.equal(served, kept, "the schema that is served is the one in the repository");

// A hundred at once are nobody's attack.
const many = await Promise.all(Array.from({ length: 100 }, () => post("{ products(first: 100) { nodes { sku name stock { available } } } }")));
assert.deepEqual([...new Set(many.map((it) => it.status))], [200]);
const bodies = await Promise.all(many.map((it) => it.json()));
assert.ok(bodies.every((it) => it.extensions.cost.remaining > 0 && it.extensions.cost.actual <= it.extensions.cost.requested));
console.log("audit: schema and a hundred at once are fine");
