// The data team asks who somebody is, takes the note for its own machine, and takes the request back.
import { readFileSync } from "node:fs";
import { accessible, address, holds, opened, shot, sign_in } from "./browser.mjs";

const family = process.env.PORTH_TEST_FAMILY;

async function tells_no_number(page) {
  holds(!page.url().includes(family), "no family's number in an address");
  holds(!(await page.content()).includes(family), `no family's number on ${page.url()}`);
}

await opened(async (page) => {
  await sign_in(page, "data-team", "/reidentifications");
  await page.getByText("No request that your agency’s system made is open.").waitFor();
  await accessible(page);
  await page.getByRole("button", { name: "Ask who somebody is" }).click();
  await page.getByRole("heading", { level: 1, name: "Ask who somebody is" }).waitFor();
  await accessible(page);
  await shot(page, "reid-ask");
  await page.locator("#ask-family").fill(family);
  await page.getByLabel("Why this person?").fill("<script>document.title='taken'</script>");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await page.getByRole("heading", { name: "There is a problem" }).waitFor();
  await tells_no_number(page);
  holds(await page.locator("main script").count() === 0, "markup is text");
  await accessible(page);
  await shot(page, "reid-ask-errors");

  await page.locator("#ask-family").fill(family);
  await page.getByLabel("Which agency do you ask?").selectOption("education");
  await page.getByLabel("Names").check();
  await page.getByLabel("Telephone or e-mail").check();
  await page.getByLabel("Why this person?").fill("Attendance fell, and nobody leads for this family.");
  await page.getByLabel("What for?").selectOption("programme-delivery");
  await page.getByLabel("By which law?").selectOption("CA2004-s10");
  await page.locator("input[name=relationship][value=screening]").check();
  await page.getByLabel("Your reference of the piece of work").fill("WORK-7-ORCHARD");
  await page.getByRole("button", { name: "Ask", exact: true }).click();
  await page.getByRole("alert").getByText("The request is made").waitFor();
  holds(/^\/reidentifications\/[0-9a-f-]{36}$/.test(new URL(page.url()).pathname), "the address holds the request's id alone");
  await tells_no_number(page);
  await page.getByText("Attendance fell, and nobody leads for this family.").first().waitFor();
  await page.getByText("porth reid open").first().waitFor();
  holds(!(await page.content()).includes("WORK-7-ORCHARD"), "the piece of work is a reference only");
  await accessible(page);
  await shot(page, "reid-asked");
  const [note] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download the note for your machine" }).click(),
  ]);
  const asked = JSON.parse(readFileSync(await note.path(), "utf8"));
  const canonical = await page.locator("#canonical").textContent();
  holds(asked.request === canonical && !JSON.stringify(asked).includes(family), "the note holds the request, and no number");

  if (process.env.PORTH_TEST_TAKE_BACK) {
    await page.getByRole("button", { name: "Take the request back" }).click();
    await page.getByRole("alert").getByText("The request is taken back.").waitFor();
    await accessible(page);
    await page.goto(`${address}/reidentifications`);
    await page.getByText("No request that your agency’s system made is open.").waitFor();
  }
});
process.stdout.write("walked\n");
