// Makes an officer's signing key, and signs votes with it. The private half is made so that it can never be
// taken out of the browser; it is kept in this browser's IndexedDB, for this console alone.
//
// What is signed follows from what is shown: the SHA-256 is computed here, from the text on the page, and
// nothing is signed unless every field of that text stands in the plain words above it.

const LABEL = "porth/v1/reid-vote";
const text = new TextEncoder();

// A field with its length in two bytes before it.
function with_length(field) {
  const bytes = text.encode(field);
  if (bytes.length > 65535) throw new Error("a field is too long");
  return [bytes.length >> 8, bytes.length & 255, ...bytes];
}

// Microseconds since 1970 in eight bytes, the largest first. Browsers know milliseconds.
function moment(at) {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigInt64(0, BigInt(Date.parse(at)) * 1000n);
  return new Uint8Array(bytes.buffer);
}

// The bytes over which a vote is signed: those of `Vote::signed_bytes`. `sha256` has 32 bytes. A vote at the
// console names no record: the last byte says so.
export function signed_bytes(vote, sha256) {
  return new Uint8Array([
    ...text.encode(LABEL),
    ...sha256,
    ...with_length(vote.choice),
    ...with_length(vote.key),
    ...with_length(vote.agency),
    ...with_length(vote.person),
    ...moment(vote.at),
    ...with_length(vote.reason ?? ""),
    0,
  ]);
}

// The fields of a canonical text, by name: `recipient.key_id` for one inside another, lists with commas.
export function fields_of(canonical) {
  const found = new Map();
  for (const [name, value] of Object.entries(JSON.parse(canonical))) {
    if (Array.isArray(value)) found.set(name, value.join(", "));
    else if (typeof value === "object") {
      for (const [inner, part] of Object.entries(value)) found.set(`${name}.${inner}`, String(part));
    } else found.set(name, String(value));
  }
  return found;
}

export function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// Whether the words on the page are those of the text: every field once, and no other.
function is_shown(canonical) {
  const expected = fields_of(canonical);
  const shown = [...document.querySelectorAll("[data-of]")];
  const agrees = (element) => expected.get(element.dataset.of) === element.textContent;
  const names = new Set(shown.map((element) => element.dataset.of));
  return shown.length === expected.size && names.size === expected.size && shown.every(agrees);
}

// The keys of this browser.
function storage() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("porth-signing", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys", { keyPath: "public_key" });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

async function stored(mode, work) {
  const database = await storage();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction("keys", mode);
      const asked = work(transaction.objectStore("keys"));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

// The keys that this browser keeps for a person, the newest last.
async function keys_of(person) {
  const keys = await stored("readonly", (keys) => keys.getAll());
  return keys.filter((key) => key.person === person).sort((a, b) => a.made - b.made);
}

async function make_key(person) {
  const pair = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
  const bytes = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const key = { public_key: base64url(bytes), person, private_key: pair.privateKey, made: Date.now() };
  await stored("readwrite", (keys) => keys.add(key));
  // Asked of the browser, so that it does not clear the key away when its disk is full.
  if (navigator.storage?.persist) await navigator.storage.persist();
  return key;
}

function by_id(id) {
  return document.getElementById(id);
}

function show(id, is_shown) {
  const element = by_id(id);
  if (element) element.hidden = !is_shown;
}

function say(words) {
  by_id("signing-said").textContent = words;
}

function enrolled() {
  return new Map([...document.querySelectorAll("#enrolled [data-public-key]")]
    .map((line) => [line.dataset.publicKey, line.dataset.keyId]));
}

// Sends a form as its own button would; a button that waits must not be pressed twice.
function send(form) {
  HTMLFormElement.prototype.submit.call(form);
}

async function key_page() {
  const person = by_id("person").textContent;
  const own = (await keys_of(person)).at(-1);
  const is_enrolled = own && enrolled().has(own.public_key);
  const has_card = by_id("card") !== null;
  show("without-signing", false);
  show("with-key", own !== undefined && !has_card);
  show("without-key", !is_enrolled && !has_card);
  if (own) {
    by_id("own").elements["public-key"].value = own.public_key;
    by_id("own-said").textContent = is_enrolled
      ? "This browser keeps your key, and it is enrolled: you can sign here."
      : "This browser keeps a key of yours that is not enrolled: it cannot sign yet, or not any more.";
  }
  by_id("make").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const made = await make_key(person);
      event.target.elements["public-key"].value = made.public_key;
      send(event.target);
    } catch {
      say("This browser cannot make a key of Ed25519, or cannot keep it. Use another one, or the command line.");
      show("without-signing", true);
    }
  });
}

async function sign(form, key) {
  const canonical = by_id("canonical").textContent;
  if (!is_shown(canonical)) {
    say("Nothing was signed: what the page says is not what the text says. Tell your operator.");
    return;
  }
  const { elements } = form;
  const choice = new FormData(form).get("choice");
  const reason = choice === "refuse" ? elements["reason"].value.trim() : "";
  // What is not complete is not signed: the page that comes back says what is missing.
  if (!choice || (choice === "refuse" && !reason)) {
    send(form);
    return;
  }
  const vote = {
    agency: elements["agency"].value,
    at: new Date().toISOString(),
    choice,
    key: key.id,
    person: elements["person"].value,
    reason,
  };
  const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", text.encode(canonical)));
  const signature = await crypto.subtle.sign({ name: "Ed25519" }, key.private_key, signed_bytes(vote, sha256));
  elements["at"].value = vote.at;
  elements["key"].value = vote.key;
  elements["signature"].value = base64url(new Uint8Array(signature));
  send(form);
}

async function vote_page() {
  const form = by_id("vote");
  const enrolled_keys = enrolled();
  const own = (await keys_of(form.elements["person"].value)).filter((key) => enrolled_keys.has(key.public_key)).at(-1);
  show("with-key", own !== undefined);
  show("without-key", own === undefined);
  show("without-signing", own === undefined);
  if (!own) return;
  const key = { id: enrolled_keys.get(own.public_key), private_key: own.private_key };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sign(form, key).catch(() => say("Nothing was signed: the key of this browser cannot be used."));
  });
}

if (globalThis.crypto?.subtle && globalThis.indexedDB) {
  if (document.getElementById("vote")) await vote_page();
  else if (document.getElementById("make")) await key_page();
}
