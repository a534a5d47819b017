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
  await enter(page, "data-team");
  await page.goto(`${address}/tables/areas`);
  await picture(page, "table");
  await page.goto(`${address}/match-runs`);
  await page.getByRole("button", { name: "Begin a match run" }).click();
  while (await page.getByRole("button", { name: "Go on with the snapshot" }).count() > 0) {
    await page.getByRole("button", { name: "Go on with the snapshot" }).click();
    await page.getByRole("alert").waitFor();
  }
  await page.getByRole("button", { name: /^Find / }).click();
  await page.getByText("It is closed, and nothing in it changes any more.").waitFor();
  await picture(page, "match-run");
  await page.getByRole("link", { name: "Read its candidate families" }).click();
  await page.getByRole("checkbox").first().check();
  await page.getByLabel("Why, or where is it written up?").fill("match-2026-11");
  await page.getByRole("button", { name: "Give numbers" }).click();
  await page.getByRole("link", { name: /^Family / }).first().click();
  await picture(page, "family");
  await page.goto(`${address}/families`);
  await picture(page, "families");
  await enter(page, "operator");
  await page.goto(`${address}/health`);
  await picture(page, "health");
}, { viewport: size });
