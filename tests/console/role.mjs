// A role is taken away at the provider, or becomes another one: the next fresh proof ends the session.
import { accessible, address, as, holds, opened, sign_in } from "./browser.mjs";

const provider = process.env.PORTH_TEST_PROVIDER;

async function has_role(account, role) {
  const set = await fetch(`${provider}/test/role?account=${account}&role=${role}`, { method: "POST" });
  holds(set.status === 204, `the provider takes the role: ${set.status}`);
}

// Proves anew who somebody is, in the session that the page has.
async function prove(page, account) {
  await page.goto(`${address}/sign-in/begin?fresh=yes&to=/log`);
  await page.locator("input[name=login]").fill(account);
  await page.locator("input[name=password]").fill("any");
  const back = page.waitForURL((url) => url.href.startsWith(address), { waitUntil: "commit" });
  await page.locator("button[type=submit]").click();
  const consent = page.getByRole("button", { name: "Continue" });
  await Promise.race([back, consent.waitFor().then(() => consent.click(), () => {})]);
  await back;
  await page.waitForLoadState();
}

async function is_out(page, said) {
  await page.getByRole("heading", { level: 1, name: "You are not signed in" }).waitFor();
  await page.getByText(said).waitFor();
  await accessible(page);
  const cookies = await page.context().cookies(address);
  holds(!cookies.some((cookie) => cookie.name === "__Host-porth-session"), "the cookie is gone too");
  await page.goto(`${address}/log`);
  holds(page.url().includes("/sign-in?to="), `the session has ended: ${page.url()}`);
}

await opened(async (page, context) => {
  await sign_in(page, "officer", "/log");
  await prove(page, "officer");
  holds(new URL(page.url()).pathname === "/log", "whoever has the role still comes back to the page");
  const cookies = await context.cookies(address);
  const session = cookies.find((cookie) => cookie.name === "__Host-porth-session");
  holds(session.httpOnly && session.secure && session.sameSite === "Lax" && session.path === "/" && session.domain === "localhost",
    `the cookie's attributes as the browser has them: ${JSON.stringify({ ...session, value: "" })}`);
  holds(session.expires === -1, "and it goes with the browser");
  holds(await page.evaluate(() => document.cookie) === "", "no script reads a cookie");

  await has_role("officer", "");
  await prove(page, "officer");
  await is_out(page, "gives you no role in this console any more, so your session here has ended.");

  const second = await as(context, "second-officer", "/log");
  await has_role("second-officer", "porth-auditor");
  await prove(second, "second-officer");
  await is_out(second, "Your organisation gives you another role by now, so your session here has ended.");

  const third = await as(context, "third-officer", "/log");
  await prove(third, "auditor");
  await third.getByText("Somebody else signed in.").waitFor();
  await third.goto(`${address}/log`);
  await third.getByRole("heading", { level: 1, name: "Disclosure log" }).waitFor();
});
process.stdout.write("walked\n");
