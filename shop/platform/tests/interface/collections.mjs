// Reads the collections as the programs do that they are made for: Postman's own library resolves every
// request of one, and the other is a whole tree.

import fs from "node:fs";
import { createRequire } from "node:module";

const [postmanFile, insomniaFile, modules] = process.argv.slice(2);
const { Collection } = createRequire(`${modules}/`)("postman-collection");

const read = (file) => JSON.parse(fs.readFileSync(file, "utf8"));
const wrong = [];

const collection = new Collection(read(postmanFile));
let requests = 0;
collection.forEachItem((item) => {
  requests += 1;
  const url = item.request.url.toString();
  if (!url.startsWith("{{base_url}}/")) wrong.push(`${item.name}: its address is ${url}`);
  const path = item.request.url.getPath();
  if (/:[a-z_]+/.test(path)) wrong.push(`${item.name}: a part of ${path} has no value`);
  if (item.request.body?.mode === "raw") JSON.parse(item.request.body.raw);
});
if (!collection.variables.has("base_url") || !collection.variables.has("token")) {
  wrong.push("the collection lacks base_url or token");
}

const { resources } = read(insomniaFile);
const ids = new Set(resources.map((it) => it._id));
const others = resources.filter((it) => it._type === "request").length;
if (resources.some((it) => it.parentId !== null && !ids.has(it.parentId))) {
  wrong.push("a resource of Insomnia's export has no parent");
}
if (requests < 50 || requests !== others) wrong.push(`${requests} and ${others} requests`);

if (wrong.length > 0) {
  console.error(wrong.join("\n"));
  process.exit(1);
}
console.log(`${requests} requests in either collection`);
