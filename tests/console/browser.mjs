// What every walk through the console shares: a browser, signing in, and what holds of every page.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe_source = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CHROMIUM = process.env.PORTH_TEST_CHROMIUM ?? "/usr/bin/chromium";

export const address = process.env.PORTH_TEST_CONSOLE;
export const shots = process.env.PORTH_TEST_SHOTS;

export async function opened(walk, options = {}) {
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
  });
  try {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB", ...options });
    context.setDefaultTimeout(20000);
    const page = await context.newPage();
    const faults = [];
    page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
    page.on("console", (message) => {
      // What the provider's pages say is the provider's.
      const is_ours = page.url().startsWith(address) && !message.location().url.includes("/favicon.ico");
      // A page that is shown again with its errors is answered with 422.
      const is_expected = /status of (422|403|409)/.test(message.text());
      if (message.type() === "error" && is_ours && !is_expected) faults.push(`console: ${message.text()}`);
    });
    await walk(page, context);
    if (faults.length > 0) throw new Error(`the browser complains: ${faults.join("; ")}`);
  } finally {
    await browser.close();
  }
}

// Likewise, in a browser that keeps what it stores in a folder, so that a later one finds it there.
export async function opened_in(folder, walk, options = {}) {
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: CHROMIUM,
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    ignoreHTTPSErrors: true,
    locale: "en-GB",
    acceptDownloads: true,
    ...options,
  });
  try {
    context.setDefaultTimeout(20000);
    const faults = [];
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
    await walk(page, context);
    if (faults.length > 0) throw new Error(`the browser complains: ${faults.join("; ")}`);
  } finally {
    await context.close();
  }
}

// Signs in at the provider, as somebody whose name there is `account`.
export async function sign_in(page, account, path = "/") {
  await page.goto(`${address}${path}`);
  await page.getByRole("button", { name: /your organisation/ }).click();
  await page.locator("input[name=login]").fill(account);
  await page.locator("input[name=password]").fill("any");
  const home = page.waitForURL((url) => url.href.startsWith(address), { waitUntil: "commit" });
  await page.locator("button[type=submit]").click();
  // The provider asks once whether the console may know the claims.
  const consent = page.getByRole("button", { name: "Continue" });
  await Promise.race([home, consent.waitFor().then(() => consent.click(), () => {})]);
  await home;
  await page.waitForLoadState();
}

// Fails unless the page breaks no rule of WCAG 2.2 AA that a program can find.
export async function accessible(page) {
  await page.evaluate(axe_source);
  const found = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  if (found.violations.length > 0) {
    const told = found.violations.map((v) => `${v.id} (${v.nodes.map((n) => n.target.join(" ")).join(", ")})`);
    throw new Error(`${page.url()}: ${told.join("; ")}`);
  }
}

export async function shot(page, name) {
  if (shots) await page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
}

// Signs in anew as somebody else, in a browser that knows nobody.
export async function as(browser_context, account, path) {
  const context = await browser_context.browser().newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
  context.setDefaultTimeout(20000);
  const page = await context.newPage();
  await sign_in(page, account, path);
  return page;
}

// Goes on by the keyboard alone until something has the focus.
export async function tab_to(page, locator) {
  for (let presses = 0; presses < 200; presses += 1) {
    if (await locator.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the keyboard does not reach ${locator}`);
}

export function holds(fact, said) {
  if (!fact) throw new Error(said);
}
