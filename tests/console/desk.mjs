// Officers at the rest of their work: an alert, an incident with two people's decision, an agreement put
// in force by three; the pages that are read alone; and markup typed into every field.
import { accessible, address, as, holds, opened, shot, sign_in } from "./browser.mjs";

const SCRIPT = "<script>document.title='taken'</script>";

async function heading(page, name) {
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

async function done(page, words) {
  await page.getByRole("alert").getByText(words).waitFor();
}

// Types markup into every line of text of a form, sends it, and sees it refused as text.
async function try_markup(page, button) {
  const fields = page.locator(`form:has(button:text-is("${button}")) input[type=text]`);
  const count = await fields.count();
  holds(count > 0, `the form of ${button} has fields`);
  for (let n = 0; n < count; n += 1) await fields.nth(n).fill(SCRIPT);
  await page.getByRole("button", { name: button, exact: true }).click();
  await page.getByRole("heading", { name: "There is a problem" }).waitFor();
  holds((await page.title()).startsWith("Error: "), `markup is refused at ${page.url()}`);
  holds(await page.locator("main script").count() === 0, "and is no element of the page");
  const typed = await page.locator(`form:has(button:text-is("${button}")) input[type=text]`).first().inputValue();
  holds(typed === SCRIPT, "what was typed stays, as text");
  await accessible(page);
}

await opened(async (page, context) => {
  await sign_in(page, "officer", "/");
  await heading(page, "What waits for you");
  await page.getByRole("link", { name: /alerts? (is|are) open/ }).waitFor();
  await accessible(page);
  await shot(page, "home");

  await page.getByRole("link", { name: /alerts? (is|are) open/ }).click();
  await heading(page, "Alerts");
  await accessible(page);
  await shot(page, "alerts");
  while (await page.locator("tbody a").count() > 0) {
    await page.locator("tbody a").first().click();
    await accessible(page);
    if (await page.getByRole("button", { name: "Escalate the alert" }).count() > 0) {
      await try_markup(page, "Escalate the alert");
      await page.locator("#escalate-to").fill("data-protection-officer");
      await page.locator("#escalate-reason").fill("not-mine-to-say");
      await page.getByRole("button", { name: "Escalate the alert" }).click();
      await done(page, "The alert is escalated.");
      await shot(page, "alert");
      await page.getByText("You escalated it: another officer closes it.").waitFor();
      holds(await page.getByRole("button", { name: "Close the alert" }).count() === 0, "whoever escalates does not close");
    }
    const other = await as(context, "second-officer", new URL(page.url()).pathname);
    await other.locator("#close-reason").fill("explained/114");
    await other.getByRole("button", { name: "Close the alert" }).click();
    await done(other, "The alert is closed.");
    await other.context().close();
    await page.goto(`${address}/alerts`);
  }
  await page.getByText("No alert is open.").waitFor();
  await page.getByRole("link", { name: "With those that are closed" }).click();
  await accessible(page);

  await page.goto(`${address}/incidents`);
  await accessible(page);
  await page.getByRole("button", { name: "Record an incident" }).click();
  await try_markup(page, "Record the incident");
  const now = new Date(Date.now() - 7200000);
  const zone = { timeZone: "Europe/London" };
  await page.getByLabel("Wrong match").check();
  await page.getByLabel("On which day did").fill(now.toLocaleDateString("sv-SE", zone));
  await page.getByLabel("At what time?").fill(now.toLocaleTimeString("en-GB", { ...zone, timeStyle: "short" }));
  await page.getByLabel("Which recall, alert or entry").fill("");
  await page.locator("#open-reason").fill("two-people-as-one");
  await page.getByRole("button", { name: "Record the incident" }).click();
  await done(page, "The incident is recorded.");
  await page.getByText(/69 hours 5\d minutes left|70 hours 0 minutes left/).waitFor();
  const incident = new URL(page.url()).pathname;
  await try_markup(page, "Record the assessment");
  await page.getByLabel("A risk is likely").check();
  await page.locator("#assess-people").fill("2");
  await page.locator("#assess-records").fill("3");
  await page.locator("#assess-consequences").fill("wrong-support, address-known");
  await page.locator("#assess-measures").fill("pair-parted");
  await page.locator("#assess-reason").fill("limited-harm");
  await page.getByRole("button", { name: "Record the assessment" }).click();
  await done(page, "The assessment is recorded.");
  await shot(page, "incident");
  await try_markup(page, "Propose this decision");
  await page.locator("#propose-commissioner-1").check();
  await page.locator("#propose-people-1").check();
  await page.locator("#propose-reason").fill("duty");
  await page.locator("#propose-late").fill("");
  await page.getByRole("button", { name: "Propose this decision" }).click();
  await page.getByText("the Commissioner has to be notified").first().waitFor();
  await page.locator("#propose-commissioner-0").check();
  await page.getByRole("button", { name: "Propose this decision" }).click();
  await done(page, "Your decision is proposed.");
  holds(await page.getByRole("button", { name: "Confirm the decision" }).count() === 0, "nobody confirms their own");
  await accessible(page);

  const agreement = "/agreements/early-help-core/1";
  await page.goto(`${address}${agreement}`);
  await accessible(page);
  await try_markup(page, "Ask that it be put in force");
  await page.locator("#ask-reason").fill("incident-over");
  await page.getByRole("button", { name: "Ask that it be put in force" }).click();
  await done(page, "Two other officers have to approve.");
  holds(await page.getByRole("button", { name: "Approve" }).count() === 0, "whoever asks does not approve");
  await accessible(page);

  const second = await as(context, "second-officer", incident);
  await second.getByRole("button", { name: "Confirm the decision" }).waitFor();
  await accessible(second);
  await second.getByRole("button", { name: "Confirm the decision" }).click();
  await done(second, "The decision is recorded, with both of you.");
  await second.goto(`${address}${agreement}`);
  await shot(second, "activation");
  await second.getByRole("button", { name: "Approve" }).click();
  await done(second, "Your approval is recorded.");
  const third = await as(context, "third-officer", "/");
  await third.getByRole("link", { name: /waits for your approval/ }).click();
  await third.getByRole("button", { name: "Approve" }).click();
  await done(third, "The agreement is in force.");
  await accessible(third);

  for (const [name, path, words] of [
    ["recalls", "/recalls", "Nothing was ever recalled."],
    ["rights", "/rights", "No agency has opened a case."],
  ]) {
    await third.goto(`${address}${path}`);
    await third.getByText(words).waitFor();
    await accessible(third);
    await shot(third, name);
  }
  const operator = await as(context, "operator", "/health");
  await heading(operator, "Health");
  await accessible(operator);
  await shot(operator, "health");
  await operator.goto(`${address}/`);
  await accessible(operator);
  const auditor = await as(context, "auditor", incident);
  await auditor.getByText("Only an officer can take the next step.").waitFor();
  holds(await auditor.locator("main form").count() === 0, "an auditor reads, and has no form");
  await accessible(auditor);
});
process.stdout.write("walked\n");
