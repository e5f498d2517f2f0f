// The console in real headless Chromium: every page, live, by keyboard, light and dark, wide and narrow, under its strict policy.
//
// It needs a running platform. By environment: SHOP_URL, OPERATOR_TOKEN, CHROMIUM (the browser's path; default: found by the driver),
// PLAYWRIGHT (the folder of playwright-core; default: resolved as usual). It places its own orders and poisons its own key.
//
//   SHOP_URL=http://127.0.0.1:8080 OPERATOR_TOKEN=$(cat …/operator-token) CHROMIUM=/usr/bin/chromium node console.mjs

import { createRequire } from "node:module";
import { randomUUID } from "node:crypto";
import { strict as assert } from "node:assert";

const { chromium } = createRequire(import.meta.url)(process.env.PLAYWRIGHT || "playwright-core");
const shop = process.env.SHOP_URL.replace(/\/$/, "");
const token = process.env.OPERATOR_TOKEN.trim();

// --- the shop, as any client uses it ---------------------------------------------------------------------------------------------

async function call(method, path, { body, bearer = token, key } = {}) {
  const headers = { "content-type": "application/json" };
  if (bearer) headers.authorization = `Bearer ${bearer}`;
  if (key) headers["idempotency-key"] = key;
  const answer = await fetch(`${shop}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.status < 400, `${method} ${path} answered ${answer.status}: ${text}`);
  return text ? JSON.parse(text) : null;
}

async function until(what, look, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < end, `still waiting for: ${what}`);
    await new Promise((next) => setTimeout(next, 50));
  }
}

async function customer() {
  const email = `${randomUUID()}@example.com`;
  const password = "correct horse battery";
  await call("POST", "/users", { bearer: null, body: { name: "Hedy", email, password } });
  const session = await call("POST", "/sessions", { bearer: null, body: { email, password } });
  const account = await call("POST", "/accounts", { bearer: session.token, body: { currency: "USD" } });
  await call("POST", `/accounts/${account.id}/deposits`, { bearer: session.token, body: { amount: 500_000 } });
  return { bearer: session.token, account: account.id };
}

async function order(who, country) {
  const products = await call("GET", "/products?limit=1", { bearer: null });
  const body = {
    account_id: who.account,
    items: [{ sku: products.items[0].sku, quantity: 1 }],
    ship_to: { name: "Hedy", address: "1 Exchange Lane", city: "Springfield", country },
  };
  const placed = await call("POST", "/orders", { bearer: who.bearer, key: randomUUID(), body });
  const ended = ["completed", "failed", "payment_cancelled", "undo_failed"];
  return until(`order ${placed.id} to end`, async () => {
    const now = await call("GET", `/orders/${placed.id}`, { bearer: who.bearer });
    return ended.includes(now.status) && now;
  });
}

async function poison(key) {
  const record = { topic: "inventory.commands", kind: "inventory.reserve", key, payload: '{"items":"nonsense"}' };
  await call("POST", "/operator/records", { body: record });
  await call("POST", "/operator/records", { body: record });
  await until(`key ${key} to be parked`, async () => {
    const page = await call("GET", "/operator/inventory/dead");
    return page.items.some((item) => item.key === key && item.depth === 2);
  });
}

// --- running tests ---------------------------------------------------------------------------------------------------------------

let passed = 0;
let failed = 0;
const violations = [];

async function test(name, run) {
  try {
    await run();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error.stack || error).replaceAll("\n", "\n        ")}`);
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || undefined,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});

async function opened(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (/Content.Security.Policy|violates/i.test(message.text())) violations.push(message.text());
  });
  page.on("pageerror", (error) => violations.push(error.message));
  return page;
}

async function signedIn(options) {
  const page = await opened(options);
  await page.goto(`${shop}/console`);
  await page.fill("#token", token);
  await page.press("#token", "Enter");
  await page.waitForSelector("svg.map");
  return page;
}

const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
const text = (page, selector) => page.locator(selector).first().evaluate((it) => it.innerText ?? it.textContent);

const who = await customer();
const good = await order(who, "DE");
const undone = await order(who, "AQ");
const key = `poison-${randomUUID()}`;
await poison(key);
const page = await signedIn();

// --- the tests -------------------------------------------------------------------------------------------------------------------

await test("a stranger is asked to sign in, and a wrong token is refused", async () => {
  const stranger = await opened();
  await stranger.goto(`${shop}/console/orders`);
  assert.match(stranger.url(), /\/console\/sign-in\?next=/);
  await stranger.fill("#token", "not the token");
  await stranger.click("button.primary");
  assert.match(await text(stranger, "[role=alert]"), /not the operator's token/);
  await stranger.fill("#token", token);
  await stranger.click("button.primary");
  await stranger.waitForURL(`${shop}/console/orders`);
  const cookies = await stranger.context().cookies();
  const session = cookies.find((cookie) => cookie.name === "switchboard-session");
  assert.ok(session.httpOnly && session.sameSite === "Strict");
  await stranger.click("text=Sign out");
  await stranger.goto(`${shop}/console`);
  assert.match(stranger.url(), /sign-in/);
  await stranger.context().close();
});

await test("the map shows every service, topic and group with its cords", async () => {
  const map = page.locator("svg.map");
  const services = ["users", "content", "orders", "payments", "inventory", "shipping", "notifications"];
  for (const name of services) {
    assert.equal(await map.locator(`.service[data-spot="${name}"]`).count(), 1, name);
  }
  assert.equal(await map.locator('.topic[data-spot="orders.replies"]').count(), 1);
  assert.ok((await map.locator(".group").count()) >= 8);
  assert.equal(await map.locator('.cord[data-from="orders"][data-to="payments.commands"]').count(), 1);
  await map.locator('.service[data-spot="orders"]').hover();
  await page.waitForSelector('svg.map .cord.lit[data-from="orders"]');
});

await test("the map moves while orders flow, without a reload", async () => {
  await page.waitForSelector("#live.on");
  const before = await text(page, "#vitals");
  await Promise.all([order(who, "DE"), order(who, "DE"), order(who, "DE")]);
  await until("the figures to change", async () => (await text(page, "#vitals")) !== before);
});

await test("a new order shows up in the list by itself, and opens", async () => {
  await page.goto(`${shop}/console/orders`);
  await page.waitForSelector("#live.on");
  const placed = await order(who, "DE");
  const link = page.locator(`a[href="/console/orders/${placed.id}"]`);
  await link.waitFor({ timeout: 5000 });
  await link.click();
  await page.waitForSelector("svg.saga");
  assert.match(await text(page, "h1"), new RegExp(placed.id));
});

await test("a completed order draws every step as done, with its events beside", async () => {
  await page.goto(`${shop}/console/orders/${good.id}`);
  assert.equal(await page.locator("svg.saga .step.done").count(), 5);
  assert.match(await text(page, ".timeline"), /Placed[\s\S]*charge[\s\S]*completed/);
  const states = await page.locator("#path strong").allInnerTexts();
  assert.deepEqual(states, [
    "started", "payment processing", "inventory reserved", "shipping processing", "completed",
  ]);
});

await test("an order that was undone draws what was refused and what was undone", async () => {
  await page.goto(`${shop}/console/orders/${undone.id}`);
  assert.match(await text(page, "svg.saga .refused"), /ship/);
  const undone_ = await page.locator("svg.saga .step.undone").allTextContents();
  assert.equal(undone_.length, 2, "charge and reserve were undone");
  assert.match(await text(page, "#path"), /country not served/);
});

await test("an order is found by its id, and a wrong id teaches", async () => {
  await page.keyboard.press("/");
  await page.keyboard.type(good.id);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${shop}/console/orders/${good.id}`);
  await page.goto(`${shop}/console/orders/no-such-order`);
  assert.match(await text(page, "main"), /no order with this id/i);
});

await test("a parked key shows its blast radius before it is replayed, and is replayed", async () => {
  await page.goto(`${shop}/console/parked`);
  await page.locator("tbody a", { hasText: key }).click();
  assert.match(await text(page, ".radius"), /2, in order[\s\S]*2 × inventory\.reserve/);
  assert.match(await text(page, ".letter.head"), /nonsense[\s\S]*always fails/);
  await page.click("text=Replay 2 messages");
  assert.match(await text(page, "[role=status].notice"), /Replayed/);
  // It is still poisoned: the replay fails in the same way, and the failure is added.
  await until("the second failure", async () => (await page.locator(".letter.head .failures li").count()) >= 2);
});

await test("a poisoned message is dropped with a reason, and its key opens", async () => {
  for (let left = 2; left > 0; left -= 1) {
    await page.goto(`${shop}/console/parked/inventory/inventory.saga/${key}`);
    await until("the key to be parked again", async () => {
      await page.reload();
      return (await page.locator(".chip.bad", { hasText: "parked" }).count()) > 0;
    });
    await page.click("summary");
    await page.fill("#reason", "made by the console's test");
    await page.click("text=Drop it");
    await page.waitForURL(/done=dropped/);
  }
  await until("the key to open", async () => /This key is open/.test(await text(page, "#key")));
});

await test("keys move between pages, and the focus is always seen", async () => {
  await page.goto(`${shop}/console`);
  await page.keyboard.press("Tab");
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Skip to the page/);
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  for (let step = 0; step < 25; step += 1) {
    await page.keyboard.press("Tab");
    const seen = await page.evaluate(() => {
      const focused = document.activeElement;
      if (!focused || focused === document.body) return true;
      const row = focused.closest(".rows tbody tr");
      const style = getComputedStyle(row || focused);
      return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    });
    assert.ok(seen, `nothing shows the focus at step ${step}`);
  }
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("g");
  await page.keyboard.press("d");
  await page.waitForURL(`${shop}/console/orders`);
  await page.keyboard.press("?");
  await page.waitForSelector("dialog[open]");
  await page.keyboard.press("Escape");
});

await test("every page has its landmarks, one heading, and names for what is focused", async () => {
  for (const path of ["", "/orders", `/orders/${good.id}`, "/parked"]) {
    await page.goto(`${shop}/console${path}`);
    for (const landmark of ["header", "nav", "main", "footer", "h1"]) {
      assert.equal(await page.locator(`body ${landmark === "h1" ? "h1" : `> ${landmark}`}`).count(), 1, `${path}: ${landmark}`);
    }
    const nameless = await page.evaluate(() => {
      const named = (it) => it.textContent.trim() || it.getAttribute("aria-label")
        || it.getAttribute("aria-labelledby") || (it.labels && it.labels.length);
      return [...document.querySelectorAll("a, button, input:not([type=hidden]), [tabindex='0']")]
        .filter((it) => !named(it)).map((it) => it.outerHTML.slice(0, 120));
    });
    assert.deepEqual(nameless, [], path);
  }
});

await test("light and dark follow the system, and stay as they are chosen", async () => {
  const paper = (on) => on.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await signedIn({ colorScheme: "dark" });
  const light = await signedIn({ colorScheme: "light" });
  assert.notEqual(await paper(dark), await paper(light));
  await dark.click("#theme button[value=light]");
  assert.equal(await paper(dark), await paper(light));
  await dark.reload();
  assert.equal(await paper(dark), await paper(light), "the choice is remembered");
  await dark.keyboard.press("t");
  assert.notEqual(await paper(dark), await paper(light));
  await dark.context().close();
  await light.context().close();
});

await test("words are readable on their ground: contrast of 4.5 in light and dark", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const reader = await signedIn({ colorScheme });
    for (const path of ["", `/orders/${undone.id}`, "/parked"]) {
      await reader.goto(`${shop}/console${path}`);
      const faint = await reader.evaluate(faintWords);
      assert.deepEqual(faint, [], `${colorScheme} ${path}`);
    }
    await reader.context().close();
  }
});

// Runs in the page: texts whose colour is too near to what is painted behind them.
function faintWords() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] > 250) return color;
    }
    return rgba("white");
  };
  const found = new Set();
  for (const element of document.querySelectorAll("body *:not(svg *)")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility() || element.closest(".hidden, .skip")) continue;
    const [a, b] = [luminance(rgba(getComputedStyle(element).color)), luminance(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) found.add(`${contrast.toFixed(2)} ${element.tagName}.${element.className}: ${element.textContent.trim().slice(0, 30)}`);
  }
  return [...found];
}

await test("on a phone no page is wider than the screen", async () => {
  const phone = await signedIn({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  for (const path of ["", "/orders", `/orders/${good.id}`, `/orders/${undone.id}`, "/parked"]) {
    await phone.goto(`${shop}/console${path}`);
    assert.ok(await fits(phone), path);
  }
  await phone.context().close();
});

await test("without a script every page is whole", async () => {
  const plain = await signedIn({ javaScriptEnabled: false });
  assert.match(await text(plain, ".static"), /reload the page/);
  await plain.click("text=Orders");
  await plain.click("tbody tr:first-child a");
  assert.equal(await plain.locator("svg.saga, .empty").count() > 0, true);
  await plain.click("#theme button[value=dark]");
  assert.equal(await plain.locator("html[data-theme=dark]").count(), 1);
  await plain.context().close();
});

await test("no other site can press a button", async () => {
  const cookies = (await page.context().cookies()).map((it) => `${it.name}=${it.value}`).join("; ");
  const headers = { cookie: cookies, origin: "http://evil.example", "content-type": "application/x-www-form-urlencoded" };
  const path = `${shop}/console/parked/inventory/inventory.saga/x/replay`;
  const answer = await fetch(path, { method: "POST", headers, redirect: "manual" });
  assert.equal(answer.status, 403);
});

await test("the policy is strict, and nothing has violated it", async () => {
  const answer = await fetch(`${shop}/console/sign-in`);
  const policy = answer.headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  assert.deepEqual(violations, []);
});

await browser.close();
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
