// The bytes that the console's own script signs, in the browser, against those that the gateway verifies.
import { address, holds, opened } from "./browser.mjs";

const votes = JSON.parse(process.env.PORTH_TEST_VOTES);

await opened(async (page) => {
  await page.goto(`${address}/sign-in`);
  const found = await page.evaluate(async (votes) => {
    const { signed_bytes, fields_of } = await import("/assets/signing.js");
    const hexadecimal = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const bytes = (text) => new Uint8Array(text.match(/../g).map((pair) => parseInt(pair, 16)));
    const made = votes.map(({ vote, sha256 }) => hexadecimal(signed_bytes(vote, bytes(sha256))));
    return { made, fields: [...fields_of('{"a":{"b":"c"},"d":["e","f"],"g":1}')] };
  }, votes);
  holds(votes.length > 3, "there are votes to compare");
  votes.forEach(({ expected }, at) => holds(found.made[at] === expected, `vote ${at}: ${found.made[at]} is not ${expected}`));
  holds(JSON.stringify(found.fields) === '[["a.b","c"],["d","e, f"],["g","1"]]', "fields are named by their place");
});
process.stdout.write("walked\n");
