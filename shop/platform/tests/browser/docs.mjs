// The interactive page of the interface in real headless Chromium, without a network but the shop, under its strict policy: it shows every
// operation, takes a token, and a request sent from it is answered.
//
// It needs a running platform. By environment, as console.mjs: SHOP_URL, OPERATOR_TOKEN, CHROMIUM, PLAYWRIGHT.

import { createRequire } from "node:module";
import { strict as assert } from "node:assert";

const { chromium } = createRequire(import.meta.url)(process.env.PLAYWRIGHT || "playwright-core");
const shop = process.env.SHOP_URL.replace(/\/$/, "");

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  const wrong = [];
  const elsewhere = [];
  page.on("pageerror", (error) => wrong.push(error.message));
  page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(shop) && !url.startsWith("data:")) elsewhere.push(url);
  });

  await page.goto(`${shop}/docs`);
  await page.waitForSelector(".opblock");
  const document = await (await fetch(`${shop}/openapi.json`)).json();
  const operations = Object.values(document.paths).flatMap((methods) => Object.keys(methods)).length;
  assert.equal(await page.locator(".opblock").count(), operations, "every operation is shown");

  await page.click(".auth-wrapper .authorize");
  await page.fill(".auth-container input", process.env.OPERATOR_TOKEN.trim());
  await page.click(".auth-btn-wrapper .authorize");
  await page.click(".auth-btn-wrapper .btn-done");

  const block = page.locator("#operations-users-getSession");
  await block.locator(".opblock-summary-control").click();
  await block.locator(".execute").click();
  const answer = block.locator(".live-responses-table .highlight-code").first();
  await answer.waitFor();
  assert.match(await answer.innerText(), /"role":\s*"operator"/, "the answer is shown");

  assert.deepEqual(wrong, [], "nothing is refused by the policy, nothing fails");
  assert.deepEqual(elsewhere, [], "nothing is fetched from elsewhere");
  console.log(`the interactive page shows ${operations} operations and sends requests`);
} finally {
  await browser.close();
}
