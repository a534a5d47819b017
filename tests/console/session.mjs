// A session that is about to end says so; a page on paper has what matters and nothing to press.
import { accessible, address, holds, opened, shot, sign_in } from "./browser.mjs";

async function on_paper(page, name) {
  await page.emulateMedia({ media: "print" });
  for (const gone of ["#navigation", "#who", "form", ".govuk-skip-link", ".govuk-back-link", ".govuk-notification-banner"]) {
    const shown = page.locator(gone);
    for (let n = 0; n < await shown.count(); n += 1) {
      holds(!await shown.nth(n).isVisible(), `${gone} is not printed at ${page.url()}`);
    }
  }
  holds(await page.locator("h1").isVisible(), "the heading is printed");
  const after = await page.evaluate(() => [...document.querySelectorAll("a")].map((a) => getComputedStyle(a, "::after").content));
  holds(after.every((content) => content === "none" || content === '""'), `no address is printed after a link: ${after}`);
  await shot(page, `print-${name}`);
  await page.emulateMedia({ media: "screen" });
}

await opened(async (page) => {
  await sign_in(page, "officer", "/log?type=enquiry");
  await page.locator("tbody a").first().click();
  await page.getByRole("heading", { level: 1, name: "One disclosure" }).waitFor();
  await on_paper(page, "disclosure");

  await page.goto(`${address}/reviews/draw`);
  await page.getByLabel("At random").check();
  await page.getByLabel("Why, or under which plan?").fill("monthly-plan");
  await page.getByRole("button", { name: "Draw the sample" }).click();
  await page.getByRole("link", { name: /^Disclosure \d+/ }).first().click();
  await page.getByRole("button", { name: "Read the disclosure" }).click();
  await page.getByText("Who asked").first().waitFor();
  await on_paper(page, "review");

  await page.clock.install();
  await page.goto(`${address}/agreements`);
  const said = page.getByText("You will be signed out in two minutes unless you go on.");
  await page.clock.fastForward("17:30");
  holds(await said.count() === 0, "no warning while there is time");
  await page.clock.fastForward("00:45");
  await said.waitFor();
  holds(await page.locator("#ending").getAttribute("aria-live") === "polite", "it is said to those who do not see it");
  await accessible(page);
  await shot(page, "ending");
  await page.getByRole("link", { name: "Stay signed in" }).click();
  await page.getByRole("heading", { level: 1, name: "Agreements" }).waitFor();
  holds(await said.count() === 0, "whoever goes on has time again");
  await page.clock.fastForward("20:05");
  await page.getByText("Your session has ended, and nothing that you do here is kept.").waitFor();
  await accessible(page);
  await page.getByRole("link", { name: "Sign in again" }).waitFor();
});
process.stdout.write("walked\n");
