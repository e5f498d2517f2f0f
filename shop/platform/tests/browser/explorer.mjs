// The GraphQL explorer in real headless Chromium: asking, signing in, following an order, reading the schema, by keyboard, light and
// dark, wide and narrow, under its strict policy.
//
// It needs a running platform, by the same environment as console.mjs: SHOP_URL, CHROMIUM, PLAYWRIGHT.

import { createRequire } from "node:module";
import { randomUUID } from "node:crypto";
import { strict as assert } from "node:assert";

const { chromium } = createRequire(import.meta.url)(process.env.PLAYWRIGHT || "playwright-core");
const shop = process.env.SHOP_URL.replace(/\/$/, "");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
const complaints = [];
page.on("console", (message) => { if (message.type() === "error") complaints.push(message.text()); });
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("request", (request) => { if (!request.url().startsWith(shop) && !request.url().startsWith("data:")) complaints.push(`asked ${request.url()}`); });

async function ask(query, variables = {}) {
  await page.fill("#query", query);
  await page.fill("#variables", JSON.stringify(variables));
  await page.focus("#query");
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => document.getElementById("run").textContent === "Run" && document.getElementById("facts").textContent !== "asking …");
  return page.textContent("#result");
}

try {
  await page.goto(`${shop}/graphql`);
  await page.waitForSelector("#browser .type");

  // Asking, by keyboard, and what it cost.
  assert.match(await ask("{ products(first: 2) { nodes { sku stock { available } } } }"), /"available": \d+/);
  assert.match(await page.textContent("#facts"), /^200 .*fields$/);
  assert.match(await ask("{ nothing }"), /GRAPHQL_VALIDATION_FAILED/);
  assert.match(await page.getAttribute("#facts", "class"), /bad/);
  await page.fill("#variables", "{");
  await page.click("#run");
  assert.match(await page.textContent("#facts"), /not JSON/);

  // Signing in hands the token to what follows.
  const who = { email: `${randomUUID()}@example.com`, password: "correct horse battery" };
  await ask("mutation($input: SignUpInput!) { signUp(input: $input) { id } }", { input: { name: "<b>Hedy</b>", ...who } });
  await ask("mutation($email: String!, $password: String!) { signIn(email: $email, password: $password) { token } }", who);
  assert.ok((await page.inputValue("#token")).length > 40);
  assert.match(await ask("{ me { name } }"), /"<b>Hedy<\/b>"/, "shown as it is, not as HTML");
  assert.equal(await page.locator("#result b").count(), 0);

  // Following an order to its end.
  const data = async (query, variables) => JSON.parse(await ask(query, variables)).data;
  const { createAccount } = await data('mutation { createAccount(currency: "USD") { id } }');
  await ask('mutation($id: ID!) { deposit(accountId: $id, amount: 500000, idempotencyKey: "d") { seq } }', createAccount);
  const { products } = await data("{ products(first: 1) { nodes { sku } } }");
  const shipTo = { name: "Hedy", address: "1 Exchange Lane", city: "Springfield", country: "DE" };
  const input = { accountId: createAccount.id, items: [{ ...products.nodes[0], quantity: 1 }], shipTo };
  const { placeOrder } = await data('mutation($input: PlaceOrderInput!) { placeOrder(idempotencyKey: "k", input: $input) { id } }', { input });
  const states = await ask("subscription($id: ID!) { orderStatus(id: $id) { status } }", placeOrder);
  assert.match(states, /"COMPLETED"/);
  assert.match(await page.textContent("#facts"), /complete/);

  // Reading the schema.
  await page.click("#browser .type >> text=Query");
  assert.match(await page.textContent("#browser h3"), /^Query/);
  await page.click('#browser li:has-text("products") .type >> text=ProductConnection');
  assert.match(await page.textContent("#trail"), /ProductConnection/);
  await page.fill("#find", "trackingNumber");
  await page.click("#browser .type >> text=Order.trackingNumber");
  assert.match(await page.textContent("#browser h3"), /^Order/);

  // Tab indents, and after Escape it leaves.
  await page.fill("#query", "");
  await page.focus("#query");
  await page.keyboard.press("Tab");
  assert.equal(await page.inputValue("#query"), "  ");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.notEqual(await page.evaluate(() => document.activeElement.id), "query");

  // Light and dark are remembered; a phone needs no scrolling sideways.
  for (const theme of ["dark", "light"]) {
    await page.click(`[data-choose=${theme}]`);
    await page.reload();
    assert.equal(await page.getAttribute("html", "data-theme"), theme);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/explorer-${theme}.png` });
  }
  await page.setViewportSize({ width: 390, height: 844 });
  const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(inner <= outer, `${inner} wide on ${outer}`);
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/explorer-phone.png`, fullPage: true });

  // A field without a name that can be read aloud helps nobody.
  const nameless = await page.evaluate(() => [...document.querySelectorAll("input, textarea, select, button")]
    .filter((it) => !(it.labels?.length || it.getAttribute("aria-label") || it.textContent.trim())).map((it) => it.id));
  assert.deepEqual(nameless, []);
  assert.deepEqual(complaints.filter((it) => !it.includes("status of 400")), []);
  console.log("explorer: everything is fine");
} finally {
  await browser.close();
}
