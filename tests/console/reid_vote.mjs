// The officer whose card is enrolled comes back to the browser that has the key, reads a request, and approves
// it by the keyboard alone. Before that, whatever was altered on the way is tried.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { accessible, address, as, holds, opened, opened_in, shot, sign_in, tab_to } from "./browser.mjs";

const request = `/reidentifications/${process.env.PORTH_TEST_REQUEST}`;
const other = `/reidentifications/${process.env.PORTH_TEST_OTHER_REQUEST}`;
const signal = process.env.PORTH_TEST_SIGNAL;

// Makes every sign-in older than it is.
async function let_time_pass() {
  writeFileSync(signal, "");
  for (let tries = 0; existsSync(signal); tries += 1) {
    holds(tries < 100, "time passes");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

// Shows one thing and has another signed: the page is altered on its way to the browser, text and words alike.
async function altered(page, from, to, path, act) {
  await page.route(`${address}${path}`, async (route) => {
    if (route.request().method() !== "GET") return route.continue();
    const answer = await route.fetch();
    return route.fulfill({ response: answer, body: (await answer.text()).replaceAll(from, to) });
  });
  await page.goto(`${address}${path}`);
  await act();
  await page.unroute(`${address}${path}`);
}

async function approve(page) {
  await page.getByLabel("Approve", { exact: true }).check();
  await page.getByRole("button", { name: "Sign and send" }).click();
}

await opened_in(process.env.PORTH_TEST_PROFILE, (page, own) => opened(async (_, others) => {
  // The provider remembers who signed in last; the key is no cookie.
  await own.clearCookies();
  await sign_in(page, "approver", "/");
  await page.getByRole("link", { name: /requests? to learn who somebody is waits? for you/ }).click();
  await page.getByRole("heading", { level: 1, name: "Re-identification" }).waitFor();
  await page.getByText("Waits for you").first().waitFor();
  await accessible(page);
  await shot(page, "reids");

  // Whoever has the key elsewhere is told so, and offered the command line.
  const elsewhere = await as(others, "approver", request);
  await elsewhere.getByText("This browser keeps no key that is enrolled for you.").waitFor();
  await elsewhere.getByText(`porth reid approve ${process.env.PORTH_TEST_REQUEST}`).first().waitFor();
  await accessible(elsewhere);
  await elsewhere.context().close();

  // The words say another thing than the text: the browser signs nothing.
  const reason = "nobody leads for this family";
  await page.goto(`${address}${request}`);
  await page.getByRole("button", { name: "Sign and send" }).waitFor();
  await page.evaluate(() => { document.querySelector("[data-of=power]").textContent = "another-law"; });
  await approve(page);
  await page.getByText("Nothing was signed: what the page says is not what the text says.").waitFor();
  // Words and text are altered alike: the signature is over another request, and refused.
  await altered(page, reason, "somebody leads for this family", request, async () => {
    await page.getByText("somebody leads for this family").first().waitFor();
    await approve(page);
    await page.getByText("(request-altered)").waitFor();
  });
  // A refusal without a reason comes back, with what is missing.
  await page.goto(`${address}${other}`);
  await page.getByLabel("Refuse", { exact: true }).check();
  await page.getByRole("button", { name: "Sign and send" }).click();
  await page.getByRole("link", { name: "Enter why you refuse" }).waitFor();
  await page.locator("#vote-reason").waitFor();
  await accessible(page);
  await shot(page, "reid-errors");
  await page.locator("#vote-reason").fill("no-ground");
  await page.getByRole("button", { name: "Sign and send" }).click();
  await page.getByRole("alert").getByText("Your refusal is recorded.").waitFor();
  await page.getByText("refused: no-ground.").waitFor();
  await accessible(page);
  await shot(page, "reid-refused");

  // The sign-in is too old: the page leads to a new proof.
  await page.goto(`${address}${request}`);
  await page.getByRole("button", { name: "Sign and send" }).waitFor();
  await let_time_pass();
  await page.goto(`${address}${request}`);
  holds(await page.getByRole("button", { name: "Sign and send" }).count() === 0, "nothing is signed without a proof");
  await accessible(page);
  await shot(page, "reid-fresh");
  await page.getByRole("button", { name: "Confirm who you are" }).click();
  await page.locator("input[name=login]").fill("approver");
  await page.locator("input[name=password]").fill("any");
  const back = page.waitForURL((url) => url.href.startsWith(address), { waitUntil: "commit" });
  await page.locator("button[type=submit]").click();
  const consent = page.getByRole("button", { name: "Continue" });
  await Promise.race([back, consent.waitFor().then(() => consent.click(), () => {})]);
  await back;
  await page.waitForLoadState();
  holds(new URL(page.url()).pathname === request, "and back to the request");

  // By the keyboard alone, from the page's beginning.
  await page.getByRole("button", { name: "Sign and send" }).waitFor();
  await accessible(page);
  await shot(page, "reid-vote");
  await page.keyboard.press("Tab");
  await tab_to(page, page.locator("summary"));
  await page.keyboard.press("Enter");
  await page.locator("#canonical").waitFor();
  await tab_to(page, page.locator("#vote-choice-0"));
  await page.keyboard.press("Space");
  holds(await page.getByLabel("Approve", { exact: true }).isChecked(), "the space bar chooses");
  await tab_to(page, page.getByRole("button", { name: "Sign and send" }));
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("Your approval is recorded.").waitFor();
  await accessible(page);
  await shot(page, "reid-approved");
  await page.getByText("approved", { exact: true }).first().waitFor();

  // The entries of the request are linked, and readable as any other.
  for (let tries = 0; await page.getByRole("link", { name: /approved$/ }).count() === 0; tries += 1) {
    holds(tries < 50, "the approval comes into the log");
    await new Promise((resolve) => setTimeout(resolve, 200));
    await page.reload();
  }
  await page.getByRole("link", { name: /request-altered/ }).first().waitFor();

  // An auditor sees where it is, and not what it says.
  const auditor = await as(others, "inspector", request);
  await auditor.getByText("is for the parties of the request").waitFor();
  const text = await auditor.locator("body").textContent();
  holds(!text.includes(reason) && !text.includes("data-analyst"), "its text is not for auditors");
  holds(await auditor.locator("main form").count() === 0, "an auditor has no form");
  await accessible(auditor);
  await shot(auditor, "reid-auditor");

  // Without scripts, the file and the command.
  const bare = await others.browser().newContext({ ignoreHTTPSErrors: true, javaScriptEnabled: false });
  bare.setDefaultTimeout(20000);
  const plain = await bare.newPage();
  await sign_in(plain, "other-approver", request);
  await plain.getByText("Sign on the command line").waitFor();
  holds(!await plain.getByRole("button", { name: "Sign and send" }).isVisible(), "what cannot sign offers no signature");
  await plain.getByText(`porth reid approve ${process.env.PORTH_TEST_REQUEST} -c connection.toml -f reid --sign`).waitFor();
  await shot(plain, "reid-without-scripts");
  const [download] = await Promise.all([
    plain.waitForEvent("download"),
    plain.getByRole("button", { name: "Download the request" }).click(),
  ]);
  const file = readFileSync(await download.path(), "utf8");
  holds(file === process.env.PORTH_TEST_TEXT, "the file is the canonical text");
  await bare.close();
}));
process.stdout.write("walked\n");
