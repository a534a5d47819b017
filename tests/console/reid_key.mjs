// An officer makes a signing key in the browser and downloads its card. The browser's folder keeps the key.
import { accessible, address, holds, opened_in, shot, sign_in } from "./browser.mjs";

await opened_in(process.env.PORTH_TEST_PROFILE, async (page) => {
  await sign_in(page, "approver", "/reidentifications");
  await page.getByText("No request is open").waitFor();
  await accessible(page);
  await page.getByRole("button", { name: "Your signing key" }).click();
  await page.getByRole("heading", { level: 1, name: "Your signing key" }).waitFor();
  await page.getByRole("button", { name: "Make a key in this browser" }).waitFor();
  holds(await page.getByText("None yet").isVisible(), "no key is enrolled yet");
  holds(!await page.getByText("This browser makes no key").isVisible(), "this browser can");
  await accessible(page);
  await page.getByRole("button", { name: "Make a key in this browser" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "The card of your key" }).waitFor();
  await accessible(page);
  await shot(page, "reid-key");
  holds(!new URL(page.url()).search, "nothing of a key is in an address");
  const shown = await page.locator("#card").textContent();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Download the card" }).click(),
  ]);
  await download.saveAs(process.env.PORTH_TEST_CARD);
  const key_id = await page.locator("#key-id").textContent();
  holds(download.suggestedFilename() === `${key_id}.json` && JSON.parse(shown).key_id === key_id, "the card is of the key");

  const taken = await page.evaluate(async () => {
    const database = await new Promise((resolve) => {
      const opening = indexedDB.open("porth-signing", 1);
      opening.onsuccess = () => resolve(opening.result);
    });
    const keys = await new Promise((resolve) => {
      const asked = database.transaction("keys").objectStore("keys").getAll();
      asked.onsuccess = () => resolve(asked.result);
    });
    const refused = await crypto.subtle.exportKey("pkcs8", keys[0].private_key).then(() => false, () => true);
    return { count: keys.length, refused, extractable: keys[0].private_key.extractable };
  });
  holds(taken.count === 1 && taken.refused && !taken.extractable, "the private half cannot be taken out");

  await page.goto(`${address}/reidentifications/key`);
  await page.getByText("keeps a key of yours that is not enrolled").waitFor();
  await page.getByRole("button", { name: "Show its card" }).click();
  holds(await page.locator("#card").textContent() === shown, "the same key has the same card");
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("heading", { level: 1, name: "You have signed out" }).waitFor();
});
process.stdout.write("walked\n");
