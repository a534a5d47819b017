// Pictures of the main pages of the demonstration's console: `node screenshots.mjs FOLDER`.
import { accessible, address, opened } from "./browser.mjs";

const folder = process.argv[2];
const size = { width: 1000, height: 900 };

async function enter(page, claim) {
  await page.goto(`${address}/sign-in`);
  await page.locator(`form:has(input[name=claim][value=${claim}]) button`).click();
  await page.getByRole("heading", { level: 1, name: "What waits for you" }).waitFor();
}

async function picture(page, name) {
  await accessible(page);
  await page.screenshot({ path: `${folder}/console-${name}.png` });
}

await opened(async (page) => {
  await page.goto(`${address}/sign-in`);
  await picture(page, "sign-in");
  await enter(page, "officer");
  await picture(page, "home");
  for (const name of ["log", "reviews", "alerts", "agreements", "feeds"]) {
    await page.goto(`${address}/${name}`);
    await picture(page, name);
  }
  await page.goto(`${address}/log?type=enquiry`);
  await page.locator("tbody a").first().click();
  await picture(page, "disclosure");
  await page.goto(`${address}/reviews`);
  await page.locator("a[href^='/reviews/samples/']").first().click();
  await picture(page, "sample");
  await page.getByRole("link", { name: /^Disclosure \d+/ }).first().click();
  await page.getByRole("button", { name: "Read the disclosure" }).click();
  await page.locator("#decide").scrollIntoViewIfNeeded();
  await page.locator("#decide").evaluate((form) => form.scrollIntoView());
  await picture(page, "review");
  await enter(page, "operator");
  await page.goto(`${address}/health`);
  await picture(page, "health");
}, { viewport: size });
