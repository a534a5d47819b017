// The data team at work: a match run taken to its end, a candidate given a number, the family's page, a claim
// looked at; then the lists, every table, and the possible matches.
import { accessible, address, holds, opened, shot, sign_in } from "./browser.mjs";

const options = process.env.PORTH_TEST_SCRIPTS === "off" ? { javaScriptEnabled: false } : {};
const check = options.javaScriptEnabled === false ? async () => {} : accessible;
const engagement = process.env.PORTH_TEST_ENGAGEMENT;
const NUMBER = /TF-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}/;

async function heading(page, name) {
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

async function done(page, words) {
  await page.getByRole("alert").getByText(words).waitFor();
}

async function wrong(page, words) {
  await page.getByRole("heading", { name: "There is a problem" }).waitFor();
  await page.getByRole("link", { name: words }).waitFor();
  holds((await page.title()).startsWith("Error: "), `the title says that ${page.url()} has an error`);
}

await opened(async (page) => {
  // No address that the browser asks for, ever, holds a family's number.
  page.on("request", (request) => holds(!NUMBER.test(request.url()), `a number stands in ${request.url()}`));
  await sign_in(page, "data-team", "/");
  await heading(page, "What waits for you");
  await check(page);

  await page.getByRole("link", { name: "Match runs" }).click();
  await heading(page, "Match runs");
  await page.getByText("No run was begun yet.").waitFor();
  await check(page);
  await page.getByRole("button", { name: "Begin a match run" }).click();
  await done(page, "The run is begun");
  await heading(page, "Match run 1");
  await check(page);
  const run = new URL(page.url()).pathname;
  await page.goto(`${address}/`);
  await page.getByRole("link", { name: /Match run 1: snapshot being taken/ }).click();
  while (await page.getByRole("button", { name: "Go on with the snapshot" }).count() > 0) {
    await page.getByRole("button", { name: "Go on with the snapshot" }).click();
    await done(page, "The run has gone on.");
  }
  await page.getByText("Waits for the benefits agency").waitFor();
  await check(page);
  await page.getByRole("button", { name: "Find families without the reply" }).click();
  await done(page, "The run is closed");
  await check(page);
  await shot(page, "match-run");
  await page.getByRole("button", { name: "Compute it again and compare" }).click();
  await done(page, "comes to the same bytes");

  await page.getByRole("link", { name: "Read its candidate families" }).click();
  await heading(page, "Candidate families");
  await check(page);
  await shot(page, "candidates");
  await page.getByRole("button", { name: "Give numbers" }).click();
  await wrong(page, "Pick at least one family of the list");
  await check(page);
  const boxes = page.getByRole("checkbox");
  holds(await boxes.count() === Number(process.env.PORTH_TEST_FAMILIES), "every family of the town is a candidate");
  for (let n = 0; n < await boxes.count(); n += 1) await boxes.nth(n).check();
  await page.getByLabel("Why, or where is it written up?").fill("match-2026-11");
  await page.getByRole("button", { name: "Give numbers" }).click();
  await heading(page, "Numbers issued");
  await page.getByText("It got a number.").first().waitFor();
  await check(page);
  await page.getByRole("link", { name: /^Family / }).first().click();

  await heading(page, /^Family [0-9a-f]{8}$/);
  await page.getByText("A match run found it").waitFor();
  await page.getByText("1 child and 1 adult").waitFor();
  await page.getByText("Silence is not a no").waitFor();
  holds(!NUMBER.test(await page.content()), "the number is not on the page before somebody asks for it");
  await check(page);
  await shot(page, "family");
  const family = new URL(page.url()).pathname;
  await page.getByRole("button", { name: "attach it" }).click();
  await wrong(page, /^Enter: what shows/);
  await check(page);
  await page.locator("#attach-reason").fill("register-checked");
  await page.getByRole("button", { name: "attach it" }).click();
  await done(page, "The family is attached.");

  await page.getByRole("button", { name: "Show the number" }).click();
  const number = (await page.getByText("Its number is").textContent()).match(NUMBER)[0];
  await check(page);

  await page.goto(`${address}${family}`);
  await page.locator("#claim-engagement").fill("no-such-entry");
  await page.getByLabel("Outcomes").check();
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await wrong(page, "This is no id of a log entry");
  await check(page);
  await page.locator("#claim-engagement").fill("01980000-0000-7000-8000-000000000000");
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await wrong(page, "Your agency has recorded no engagement under this entry");
  await check(page);
  await page.locator("#claim-engagement").fill(engagement);
  await page.getByLabel("Outcomes").check();
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await heading(page, "How far a claim would be carried");
  await page.getByText(/A person has to look|Not ready/).first().waitFor();
  await check(page);
  await shot(page, "claim");

  await page.getByRole("link", { name: "Families", exact: true }).click();
  await heading(page, "Families");
  holds(await page.locator("tbody tr").count() === Number(process.env.PORTH_TEST_FAMILIES), "every family is listed");
  await check(page);
  await shot(page, "families");
  await page.getByRole("link", { name: "Attached, and nobody seen since" }).click();
  holds(await page.locator("tbody tr").count() === 1, "one is attached, and nobody was seen since");
  await check(page);
  await page.getByRole("link", { name: "Nobody leads any more" }).click();
  await page.getByText("There is no family that may be shown").waitFor();
  await check(page);
  await page.getByLabel("The family’s number").fill("TF-0000-0000-0000-0012");
  await page.getByRole("button", { name: "Open" }).click();
  await wrong(page, /Mistyped TFID/);
  await check(page);
  await page.getByLabel("The family’s number").fill(number);
  await page.getByRole("button", { name: "Open" }).click();
  holds(new URL(page.url()).pathname === family, "the same family has the same name for the whole session");

  await page.getByRole("link", { name: "Tables" }).click();
  await heading(page, "Programme tables");
  await check(page);
  const tables = await page.locator("main ul a").evaluateAll((links) => links.map((link) => link.getAttribute("href")));
  holds(tables.length === 9, "every table of the catalogue is there");
  for (const table of tables) {
    await page.goto(`${address}${table}`);
    await page.getByText("The same as a table").waitFor();
    await check(page);
    await shot(page, `table-${table.split("/").pop()}`);
  }
  await page.goto(`${address}/tables/areas`);
  await page.getByRole("link", { name: "The rounded table that anybody may have" }).click();
  await page.getByText("Rounded figures, which anybody may have.").waitFor();
  await check(page);

  await page.getByRole("link", { name: "Possible matches" }).click();
  await heading(page, "Possible matches");
  await check(page);
  await shot(page, "possible-matches");
  await page.goto(`${address}${run}`);
  await heading(page, "Match run 1");
}, options);
process.stdout.write("walked\n");
