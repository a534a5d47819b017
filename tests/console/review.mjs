// An officer draws a sample, reviews its disclosure and records an outcome; a second one confirms it.
// With scripts the review itself is done by the keyboard alone.
import { accessible, address, as, holds, opened, shot, sign_in, tab_to } from "./browser.mjs";

const has_scripts = process.env.PORTH_TEST_SCRIPTS !== "off";
const check = has_scripts ? accessible : async () => {};
const day = (later) => new Date(Date.now() + later * 86400000).toISOString().slice(0, 10);

async function heading(page, name) {
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

async function done(page, words) {
  await page.getByRole("alert").getByText(words).waitFor();
}

await opened(async (page, context) => {
  await sign_in(page, "officer", "/reviews");
  await heading(page, "Reviews");
  await check(page);
  await page.getByText("No sample was drawn yet").waitFor();

  await page.getByRole("button", { name: "Draw a sample" }).click();
  await heading(page, "Draw a sample");
  await check(page);
  await page.getByLabel("Why, or under which plan?").fill("two words");
  await page.getByRole("button", { name: "Draw the sample" }).click();
  await page.getByRole("heading", { name: "There is a problem" }).waitFor();
  holds((await page.title()).startsWith("Error: "), "the title says that something is wrong");
  await check(page);
  await page.getByRole("link", { name: /how is the sample drawn/ }).click();
  holds(page.url().endsWith("#draw-strategy-0"), "the summary leads to the field");
  await page.getByLabel("At random").check();
  await page.getByLabel("Why, or under which plan?").fill("monthly-plan");
  await page.getByRole("button", { name: "Draw the sample" }).click();
  await heading(page, "One sample");
  await done(page, "The sample is drawn.");
  await page.getByText("Nothing is reviewed yet").waitFor();
  await check(page);
  await page.getByRole("button", { name: "Draw it again and compare" }).click();
  await page.getByText("it comes out the same").waitFor();

  await page.getByRole("link", { name: /^Disclosure \d+/ }).first().click();
  await heading(page, /^Review of disclosure/);
  holds(await page.getByText("Who asked").count() === 0, "nothing is shown before somebody asks to read it");
  await check(page);

  if (has_scripts) {
    // By the keyboard alone, from the page's beginning.
    await page.keyboard.press("Tab");
    await tab_to(page, page.getByRole("button", { name: "Read the disclosure" }));
    await page.keyboard.press("Enter");
    await done(page, "You have this review now.");
    await check(page);
    await tab_to(page, page.getByRole("button", { name: "Record the outcome" }));
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "There is a problem" }).waitFor();
    await check(page);
    await shot(page, "review-errors");
    await tab_to(page, page.getByRole("link", { name: /what did you find/i }));
    await page.keyboard.press("Enter");
    await tab_to(page, page.getByLabel("Justified", { exact: true }));
    // The third choice; arrows move within a group.
    for (const choice of ["Justified, record incomplete", "Not justified: too much was told"]) {
      await page.keyboard.press("ArrowDown");
      holds(await page.getByLabel(choice, { exact: true }).isChecked(), `the arrow chooses ${choice}`);
    }
    await tab_to(page, page.locator("#decide-severity-0"));
    await page.keyboard.press("ArrowDown");
    await tab_to(page, page.locator("#decide-action-0"));
    for (let presses = 0; presses < 2; presses += 1) await page.keyboard.press("ArrowDown");
    await tab_to(page, page.locator("#decide-owner"));
    await page.keyboard.type("early-help-manager");
    await tab_to(page, page.locator("#decide-due"));
    await page.keyboard.type(day(30));
    await tab_to(page, page.locator("#decide-reason"));
    await page.keyboard.type("case-note/114");
    await shot(page, "review");
    await page.keyboard.press("Enter");
  } else {
    await page.getByRole("button", { name: "Read the disclosure" }).click();
    await done(page, "You have this review now.");
    await page.getByLabel("Not justified: too much was told").check();
    await page.locator("#decide-severity-1").check();
    await page.locator("#decide-action-2").check();
    await page.getByLabel("Who does it?").fill("early-help-manager");
    await page.getByLabel("By which day is it done?").fill(day(30));
    await page.locator("#decide-reason").fill("case-note/114");
    await page.getByRole("button", { name: "Record the outcome" }).click();
  }
  await done(page, "Your outcome is recorded.");
  await page.getByText("Your finding takes effect when another officer has confirmed it.").waitFor();
  holds(await page.getByRole("button", { name: /Confirm/ }).count() === 0, "nobody confirms their own finding");
  await check(page);
  const review = new URL(page.url()).pathname;

  const second = await as(context, "second-officer", "/");
  await second.getByRole("link", { name: /waits for a second officer/ }).click();
  await heading(second, "Reviews");
  holds(await second.title() === "Reviews – Porth, Example council", "a name with markup is text");
  await second.goto(`${address}${review}`);
  await second.getByRole("button", { name: "Read the disclosure" }).click();
  await second.locator("#confirm-reason").fill("agreed");
  await accessible(second);
  await second.getByRole("button", { name: /^Confirm/ }).click();
  await done(second, "The finding is confirmed");
  await second.locator("#complete-reason").fill("training-held");
  await second.getByRole("button", { name: /It is done/ }).click();
  await done(second, "recorded as done");
  await second.getByText("The review is closed.").first().waitFor();
  await second.goto(`${address}/reviews`);
  await second.locator("a[href^='/reviews/samples/']").first().click();
  await second.getByText("100.0%").first().waitFor();
  await accessible(second);
}, has_scripts ? {} : { javaScriptEnabled: false });
process.stdout.write("walked\n");
