// An officer opens a recall: from a disclosure that names nothing of its recipient's own, and by a delivery.
import { accessible, address, holds, opened, shot, sign_in } from "./browser.mjs";

const has_scripts = process.env.PORTH_TEST_SCRIPTS !== "off";
const check = has_scripts ? accessible : async () => {};

await opened(async (page) => {
  await sign_in(page, "officer", "/recalls");
  await page.getByText("Nothing was ever recalled.").waitFor();
  await check(page);
  await page.goto(`${address}/log?type=enquiry`);
  await page.locator("tbody a").first().click();
  await page.getByRole("link", { name: "Open a recall" }).click();
  await page.getByRole("heading", { level: 1, name: "Open a recall" }).waitFor();
  await check(page);
  await shot(page, "new-recall");
  holds(await page.getByLabel("By an entry of the log").isChecked(), "the entry is chosen");
  await page.getByLabel("One is a twin or sibling of the other").check();
  await page.getByRole("button", { name: "Open the recall" }).click();
  await page.getByRole("link", { name: /The entry names no record of its recipient’s own/ }).waitFor();
  await check(page);
  await page.getByLabel("By a delivery that was wrong").check();
  await page.locator("#open-which").fill("<img src=x>");
  await page.getByRole("button", { name: "Open the recall" }).click();
  await page.getByRole("link", { name: /This is no id or reference/ }).waitFor();
  await page.locator("#open-which").fill(process.env.PORTH_TEST_SUBMISSION);
  await page.getByRole("button", { name: "Open the recall" }).click();
  await page.getByRole("link", { name: /A wrong delivery is recalled because its records are wrong/ }).waitFor();
  await page.getByLabel("The delivery’s records are wrong").check();
  await page.getByRole("button", { name: "Open the recall" }).click();
  await page.getByRole("alert").getByText("The recall is open.").waitFor();
  await check(page);
  await shot(page, "recall");
  const recall = page.url().split("?")[0];
  await page.goto(`${address}/recalls`);
  holds(await page.locator("tbody a").count() === 1, "there is one recall");
  holds(new URL(await page.locator("tbody a").first().getAttribute("href"), address).href === recall, "and it is this one");
}, has_scripts ? {} : { javaScriptEnabled: false });
process.stdout.write("walked\n");
