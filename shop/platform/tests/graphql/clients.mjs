// Subscriptions as the usual clients follow them: an order to its end, over a WebSocket and over server-sent events.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { randomUUID } from "node:crypto";

const { SHOP_URL, MODULES } = process.env;
const require = createRequire(`${MODULES}/`);
const { createClient: overWebSocket } = require("graphql-ws");
const { createClient: overEvents } = require("graphql-sse");
const webSocketImpl = require("ws");
const url = `${SHOP_URL}/graphql`;

async function ask(query, variables, token) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify({ query, variables }) });
  const { data, errors } = await answer.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

const who = { email: `${randomUUID()}@example.com`, password: "correct horse battery" };
await ask("mutation($input: SignUpInput!) { signUp(input: $input) { id } }", { input: { name: "Hedy", ...who } });
const { signIn: { token } } = await ask("mutation($email: String!, $password: String!) { signIn(email: $email, password: $password) { token } }", who);
const { createAccount: { id: accountId } } = await ask('mutation { createAccount(currency: "USD") { id } }', {}, token);
await ask('mutation($id: ID!) { deposit(accountId: $id, amount: 500000, idempotencyKey: "d") { seq } }', { id: accountId }, token);
const { products } = await ask("{ products(first: 1) { nodes { sku } } }");

async function place() {
  const shipTo = { name: "Hedy", address: "1 Exchange Lane", city: "Springfield", country: "DE" };
  const input = { accountId, items: [{ ...products.nodes[0], quantity: 1 }], shipTo };
  const query = "mutation($key: String!, $input: PlaceOrderInput!) { placeOrder(idempotencyKey: $key, input: $input) { id } }";
  return (await ask(query, { key: randomUUID(), input }, token)).placeOrder.id;
}

const authorization = `Bearer ${token}`;
const clients = {
  "graphql-ws": overWebSocket({ url: url.replace("http:", "ws:"), webSocketImpl, connectionParams: { authorization }, retryAttempts: 0 }),
  "graphql-sse": overEvents({ url, headers: { authorization }, retryAttempts: 0 }),
};
for (const [name, client] of Object.entries(clients)) {
  const states = [];
  const query = "subscription($id: ID!) { orderStatus(id: $id) { status } }";
  for await (const { data, errors } of client.iterate({ query, variables: { id: await place() } })) {
    assert.equal(errors, undefined, JSON.stringify(errors));
    states.push(data.orderStatus.status);
  }
  assert.equal(states.at(-1), "COMPLETED", `${name}: ${states}`);
  const wrong = client.iterate({ query: "subscription { nothing }" }).next();
  const refused = await wrong.then((it) => it.value?.errors, (errors) => [errors].flat());
  assert.match(JSON.stringify(refused), /GRAPHQL_VALIDATION_FAILED/, name);
  await client.dispose();
  console.log(`${name}: ${states.join(" ")}`);
}
