// An officer signs in, finds a disclosure, reads it, has its decision made again, and leaves.
import { accessible, address, holds, opened, shot, sign_in } from "./browser.mjs";

const options = process.env.PORTH_TEST_SCRIPTS === "off" ? { javaScriptEnabled: false } : {};
const check = options.javaScriptEnabled === false ? async () => {} : accessible;

await opened(async (page) => {
  await page.goto(`${address}/log`);
  await check(page);
  holds(page.url().includes("/sign-in?to="), "whoever is not signed in is led to the sign-in");
  await sign_in(page, "officer", "/log");
  holds(new URL(page.url()).pathname === "/log", "and from there back to the page");
  await page.getByRole("heading", { level: 1, name: "Disclosure log" }).waitFor();
  await check(page);
  await shot(page, "log");

  await page.getByLabel("Type of entry").selectOption("enquiry");
  await page.getByRole("button", { name: "Show" }).click();
  holds(page.url().includes("type=enquiry"), "filters are in the address");
  await page.locator("tbody a").first().click();
  await page.getByRole("heading", { level: 1, name: "One disclosure" }).waitFor();
  const said = await page.locator(".govuk-body-l").textContent();
  holds(/^On \d+ \w+ \d{4} at .* asked .*Porth (answered|refused)/.test(said.trim()), `a sentence first: ${said}`);
  await check(page);
  await shot(page, "disclosure");

  await page.getByRole("button", { name: "Make the decision again" }).click();
  await page.getByRole("heading", { level: 1, name: "The decision made again" }).waitFor();
  await page.getByText("The same", { exact: true }).first().waitFor();
  await check(page);
  await shot(page, "replay");

  for (const [name, path] of [["home", "/"], ["agreements", "/agreements"], ["feeds", "/feeds"]]) {
    await page.goto(`${address}${path}`);
    await check(page);
    await shot(page, name);
  }
  await page.goto(`${address}/agreements`);
  await page.locator("tbody a").first().click();
  await page.getByRole("heading", { name: "Parties" }).waitFor();
  await check(page);
  await shot(page, "agreement");

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { level: 1, name: "You have signed out" }).waitFor();
  await check(page);
  await page.goto(`${address}/log`);
  holds(page.url().includes("/sign-in?to="), "the session has ended");
}, options);
process.stdout.write("walked\n");
