// An auditor at their top task: finds a disclosure, has its decision made again, checks that it and a receipt
// are in the log, and takes an export away. They read everything and change nothing.
import { accessible, address, holds, opened, shot, sign_in } from "./browser.mjs";

const has_scripts = process.env.PORTH_TEST_SCRIPTS !== "off";
const check = has_scripts ? accessible : async () => {};
const receipt = process.env.PORTH_TEST_RECEIPT;

async function heading(page, name) {
  await page.getByRole("heading", { level: 1, name }).waitFor();
}

await opened(async (page) => {
  await sign_in(page, "auditor", "/");
  await heading(page, "What waits for you");
  await check(page);
  const menu = await page.locator("#navigation a").allTextContents();
  holds(!menu.some((line) => /rights|Health/.test(line)), `no part of anybody else's work is in the menu: ${menu}`);

  await page.getByRole("link", { name: "Disclosure log" }).click();
  await page.getByLabel("Type of entry").selectOption("enquiry");
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator("tbody a").first().click();
  await heading(page, "One disclosure");
  const entry = new URL(page.url()).pathname.split("/").pop();
  holds(await page.getByRole("link", { name: /recall/i }).filter({ hasText: "Open" }).count() === 0, "an auditor opens no recall");
  await page.getByRole("button", { name: "Make the decision again" }).click();
  await heading(page, "The decision made again");

  await page.getByRole("link", { name: "Verify", exact: true }).click();
  await heading(page, "Verify the log");
  await page.getByText("This gateway has no witnesses").waitFor();
  await page.getByText("Entries under it").waitFor();
  await check(page);
  await shot(page, "verify");
  await page.getByRole("button", { name: "Check it" }).click();
  await page.getByRole("heading", { name: "There is a problem" }).waitFor();
  await check(page);
  await page.locator("#check-which").fill("<script>document.title='taken'</script>");
  await page.getByRole("button", { name: "Check it" }).click();
  await page.getByRole("link", { name: "This is neither the id of an entry nor a whole receipt" }).waitFor();
  holds((await page.title()).startsWith("Error: "), "markup is text");

  await page.locator("#check-which").fill(entry);
  await page.getByRole("button", { name: "Check it" }).click();
  await page.getByRole("heading", { name: "The entry is in the log" }).waitFor();
  await page.locator("#checked").getByText("The proof", { exact: true }).click();
  const proof = await page.getByLabel("The proof").textContent();
  holds(proof.startsWith("c2sp.org/tlog-proof@v1"), `the proof is shown: ${proof.slice(0, 40)}`);
  await check(page);
  await shot(page, "verify-entry");

  await page.locator("#check-which").fill(receipt);
  await page.getByRole("button", { name: "Check it" }).click();
  await page.getByRole("heading", { name: "What the receipt promises is in the log" }).waitFor();
  await check(page);
  await page.locator("#check-which").fill(receipt.replace(/\d{6}Z/, "999999Z"));
  await page.getByRole("button", { name: "Check it" }).click();
  await page.getByRole("link", { name: /None of this gateway’s keys signed this receipt/ }).waitFor();
  await page.locator("#check-which").fill("01980000-0000-7000-8000-000000000000");
  await page.getByRole("button", { name: "Check it" }).click();
  await page.getByRole("heading", { name: "The log has no such entry" }).waitFor();
  await check(page);

  await page.getByRole("link", { name: "Export the log" }).click();
  await heading(page, "Export the log");
  await check(page);
  await shot(page, "export");
  const coming = page.waitForEvent("download", { timeout: 60000 });
  await page.getByRole("button", { name: "Export the log" }).click();
  const download = await coming;
  holds(/^porth-log-[0-9a-f-]{36}\.tar$/.test(download.suggestedFilename()), download.suggestedFilename());
  await download.saveAs(process.env.PORTH_TEST_DOWNLOAD);

  // Everything that oversight reads, without a form that would change it.
  for (const path of ["/reviews", "/alerts", "/incidents", "/recalls", "/agreements", "/agreements/matrix", "/feeds",
    "/agreements/early-help-core/1"]) {
    await page.goto(`${address}${path}`);
    await page.getByRole("heading", { level: 1 }).waitFor();
    holds(await page.locator("main form[method=post]").count() === 0, `no form at ${path}`);
    await check(page);
  }
  for (const path of ["/reviews/draw", "/incidents/new", "/recalls/new", "/rights", "/health"]) {
    await page.goto(`${address}${path}`);
    await heading(page, "This page is not for your role");
  }
}, has_scripts ? {} : { javaScriptEnabled: false });
process.stdout.write("walked\n");
