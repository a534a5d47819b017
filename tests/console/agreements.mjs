// Who may learn what, what a version would change, and how past questions would have come out; then the approval
// of an agreement by the keyboard alone, from the officer's home page.
import { accessible, address, as, holds, opened, shot, sign_in, tab_to } from "./browser.mjs";

const has_scripts = process.env.PORTH_TEST_SCRIPTS !== "off";
const check = has_scripts ? accessible : async () => {};

async function heading(page, name) {
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

await opened(async (page, context) => {
  await sign_in(page, "officer", "/agreements");
  await page.getByRole("link", { name: "Who may learn what" }).click();
  await heading(page, "Who may learn what");
  await check(page);
  const all = await page.locator("tbody tr").count();
  holds(all > 20, `the agreements list questions: ${all}`);
  await page.getByLabel("Who may learn").selectOption({ index: 1 });
  await page.getByLabel("Allowed or not").selectOption("allowed");
  await page.getByRole("button", { name: "Show" }).click();
  holds(page.url().includes("verdict=allowed"), "filters are in the address");
  const allowed = await page.locator("tbody tr").count();
  holds(allowed > 0 && allowed < all, `the filter leaves some: ${allowed} of ${all}`);
  holds(await page.locator("tbody").getByText("No", { exact: true }).count() === 0, "and what is not allowed is not there");
  await check(page);
  await shot(page, "matrix");
  await page.goto(`${address}/agreements/matrix?recipient=nobody-at-all`);
  await page.getByText("No agreement lists a question that fits these filters").waitFor();
  await check(page);

  await page.goto(`${address}/agreements/early-help-core/1`);
  await page.getByRole("link", { name: "What it changes" }).click();
  await heading(page, /^Differences/);
  await page.getByRole("heading", { name: "Who would learn more or less" }).waitFor();
  await page.getByText("Version 1 in force, in the place of what holds now").waitFor();
  await page.getByText(/^More:/).first().waitFor();
  await check(page);
  await shot(page, "differences");
  await page.locator("#what-if-days").fill("soon");
  await page.getByRole("button", { name: "Decide past questions again" }).click();
  await page.getByRole("heading", { name: "There is a problem" }).waitFor();
  await check(page);
  await page.locator("#what-if-days").fill("7");
  await page.getByRole("button", { name: "Decide past questions again" }).click();
  await page.getByRole("heading", { name: "Questions of the last 7 days, decided again" }).waitFor();
  await check(page);
  await shot(page, "what-if");
  const team = await as(context, "data-team", "/agreements/early-help-core/1/differences");
  await heading(team, /^Differences/);
  holds(await team.locator("main form[method=post]").count() === 0, "the data team reads it, and looks at no past question");
  await accessible(team);

  // By the keyboard alone: one asks, two approve.
  await page.goto(`${address}/agreements/early-help-core/1`);
  if (has_scripts) {
    await tab_to(page, page.locator("#ask-reason"));
    await page.keyboard.type("incident-over");
    await page.keyboard.press("Enter");
  } else {
    await page.locator("#ask-reason").fill("incident-over");
    await page.getByRole("button", { name: "Ask that it be put in force" }).click();
  }
  await page.getByRole("alert").getByText("Two other officers have to approve.").waitFor();
  for (const [officer, said] of [["second-officer", "Your approval is recorded."], ["third-officer", "The agreement is in force."]]) {
    const other = await as(context, officer, "/");
    await heading(other, "What waits for you");
    await other.keyboard.press("Tab");
    holds(await other.getByText("Skip to main content").evaluate((link) => link === document.activeElement), "the first stop skips the menu");
    await other.keyboard.press("Enter");
    await tab_to(other, other.getByRole("link", { name: /waits for your approval/ }));
    await other.keyboard.press("Enter");
    await tab_to(other, other.getByRole("button", { name: "Approve" }));
    await other.keyboard.press("Enter");
    await other.getByRole("alert").getByText(said).waitFor();
    await accessible(other);
    await other.context().close();
  }
}, has_scripts ? {} : { javaScriptEnabled: false });
process.stdout.write("walked\n");
