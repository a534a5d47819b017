#!/usr/bin/env python3
"""Checks an auditor's bundle of a Porth log, with nothing but Python's standard library (3.11 or newer).

    verify_bundle.py BUNDLE TRUST.toml [--checkpoint FILE]... [--without-openings]
    verify_bundle.py --self-test

TRUST.toml holds what you believe and got over another channel: `origin`, `log_keys`, and where there
are witnesses `witnesses`, `quorum` and `witnessed_within_minutes` (see docs/log-format.md). It is not the
file in the bundle. Prints a line `[code] ...` for each fault, and what the bundle says of itself. Exit code 0: nothing is wrong; 4: faults; 2: wrong use.

Written from docs/log-format.md alone; it shares no code with the gateway.
"""
import base64, datetime, hashlib, hmac, json, pathlib, sys, tomllib

# ---- Ed25519, verification only: RFC 8032 section 5.1.7 -------------------------------------------
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total


def point_of(data):
    y, sign = int.from_bytes(data, "little") & (1 << 255) - 1, data[31] >> 7
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, message, signature):
    if len(signature) != 64 or len(key) != 32:
        return False
    a, r, s = point_of(key), point_of(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(k, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# ---- notes, keys, checkpoints ---------------------------------------------------------------------
def b64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 in another spelling")
    return data


def b64url(text):
    if not all(c.isascii() and (c.isalnum() or c in "-_") for c in text):
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(data).decode().rstrip("=") != text:
        raise ValueError("base64url in another spelling")
    return data


def verifier(text, kind):
    name, key_id, encoded = text.strip().split("+", 2)
    data = b64(encoded)
    due = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if data[0] != kind or len(data) != 33 or bytes.fromhex(key_id) != due:
        raise ValueError("not a verifier key: " + name)
    return name, due, data[1:]


def parse_note(data):
    text, _, tail = data.decode().rpartition("\n\n")
    text += "\n"
    if not tail.endswith("\n") or any(c < " " and c != "\n" for c in text):
        raise ValueError("not a signed note")
    lines = []
    for line in tail[:-1].split("\n"):
        dash, name, encoded = line.split(" ")
        raw = b64(encoded)
        if dash != "\u2014" or len(raw) < 5:
            raise ValueError("not a signature line")
        lines.append((name, raw[:4], raw[4:]))
    return text, lines


def parse_checkpoint(text):
    origin, size, root, end = text.split("\n")
    if end or size != str(int(size)) or len(b64(root)) != 32:
        raise ValueError("not a checkpoint")
    return origin, int(size), b64(root)


def by_witness(key, text, raw):
    seconds = int.from_bytes(raw[:8], "big")
    return signed(key, f"cosignature/v1\ntime {seconds}\n{text}".encode(), raw[8:])


# ---- the tree and the files -----------------------------------------------------------------------
def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def tree(hashes):
    if not hashes:
        return sha()
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return sha(b"\1", tree(hashes[:split]), tree(hashes[split:]))


def position(n, width=256):
    groups = [f"{n % 1000:03}"]
    while n := n // 1000:
        groups.insert(0, f"x{n % 1000:03}")
    return "/".join(groups) + (f".p/{width}" if width < 256 else "")


def spans(count):
    return [(n, min(256, count - 256 * n)) for n in range((count + 255) // 256)]


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def no_others(_):
    raise ValueError("a number that is no integer")


def strict(value, depth=0):
    """Objects, arrays, strings and integers only; keys in lower case."""
    if isinstance(value, bool) or value is None or depth > 16:
        raise ValueError("not canonical")
    if isinstance(value, int) and abs(value) >= 2**53:
        raise ValueError("not canonical")
    if isinstance(value, dict):
        for key, inner in value.items():
            if not key or not all(c in "abcdefghijklmnopqrstuvwxyz0123456789_" for c in key):
                raise ValueError("not canonical")
            strict(inner, depth + 1)
    if isinstance(value, list):
        for inner in value:
            strict(inner, depth + 1)


def parse_json(data):
    value = json.loads(data.decode(), parse_float=no_others, parse_constant=no_others)
    strict(value)
    if canonical(value) != data:
        raise ValueError("not canonical")
    return value


class Bundle:
    def __init__(self, folder, trust, held, with_openings):
        self.folder, self.trust, self.held, self.with_openings = pathlib.Path(folder), trust, held, with_openings
        self.faults, self.due, self.said = [], set(), []

    def fault(self, code, what=""):
        self.faults.append(f"[{code}] {what}")

    def read(self, name):
        self.due.add(name)
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def check(self):
        self.log_keys = [verifier(key, 1) for key in self.trust.get("log_keys", [])]
        self.witnesses = [verifier(key, 4) for key in self.trust.get("witnesses", [])]
        self.quorum = self.trust.get("quorum", 0)
        if not self.log_keys:
            raise SystemExit("the trust file has no log_keys: no checkpoint can be believed")
        current = self.open("checkpoint", self.read("checkpoint"))
        if current is None:
            return self.faults
        (size, root), cosigned = current
        prefixes = [(name, *found[0]) for name, data in self.held if (found := self.open(name, data))]
        self.witnessed = size if cosigned >= self.quorum > 0 else None
        seen = self.read("checkpoint.cosigned")
        if seen is not None and (found := self.open("checkpoint.cosigned", seen)):
            prefixes.append(("checkpoint.cosigned", *found[0]))
            if found[1] >= self.quorum > 0 and self.witnessed is None:
                self.witnessed = found[0][0]
            cosigned = max(cosigned, found[1])
        if cosigned < self.quorum:
            self.fault("witness-quorum", f"{cosigned} of the trusted witnesses cosigned")
        leaves, entries = self.read_entries(size)
        if len(leaves) == size:
            if tree(leaves) != root:
                self.fault("root-mismatch", "the entries do not give the signed root")
            for name, held_size, held_root in prefixes:
                if held_size > size:
                    self.fault("rollback", f"{name} is of {held_size} entries, the export of {size}")
                elif tree(leaves[:held_size]) != held_root:
                    self.fault("rewrite", f"{name} is of another history")
            self.check_tiles(leaves)
        self.check_openings(entries, size)
        self.check_reach(dict(entries), size)
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and name not in self.due:
                self.fault("unsigned-entries", f"{name} is no part of an export of {size} entries")
        return self.faults

    def open(self, name, data):
        """Size and root of a checkpoint that the log signed, and how many witnesses cosigned it."""
        try:
            text, lines = parse_note(data or b"")
            origin, size, root = parse_checkpoint(text)
        except ValueError:
            self.fault("checkpoint-malformed", name)
            return None
        if origin != self.trust["origin"]:
            self.fault("checkpoint-origin", name)
        believed = 0
        for key_name, key_id, raw in lines:
            for known, due_id, key in self.log_keys:
                if (key_name, key_id) == (known, due_id):
                    believed += 1
                    if not signed(key, text.encode(), raw):
                        self.fault("checkpoint-signature", name)
        if not believed:
            self.fault("checkpoint-signature", name)
        cosigned = 0
        for known, due_id, key in self.witnesses:
            own = [raw for key_name, key_id, raw in lines if (key_name, key_id) == (known, due_id)]
            cosigned += bool(own)
            if not all(by_witness(key, text, raw) for raw in own):
                self.fault("witness-signature", f"{name}: {known}")
        return (size, root), cosigned

    def read_entries(self, size):
        leaves, entries, seen = [], [], set()
        for n, width in spans(size):
            data = self.read("tile/entries/" + position(n, width))
            if data is None:
                self.fault("bundle-missing", f"entries from {256 * n}")
                break
            found = []
            while data:
                length = int.from_bytes(data[:2], "big")
                entry, rest = data[2 : 2 + length], data[2 + length :]
                if len(data) < 2 or len(entry) < length:
                    break
                found.append(entry)
                data = rest
            if data or len(found) != width:
                self.fault("bundle-malformed", f"entries from {256 * n}")
            for index, entry in enumerate(found, 256 * n):
                leaves.append(sha(b"\0", entry))
                try:
                    value = parse_json(entry)
                    if sorted(value) != ["at", "body", "event", "log", "nonce", "type", "v"] or value["v"] != 1:
                        raise ValueError("envelope")
                    if len(b64url(value["nonce"])) != 32:
                        raise ValueError("nonce")
                except (ValueError, TypeError):
                    self.fault("entry-malformed", f"index {index}")
                    continue
                if value["log"] != self.trust["origin"]:
                    self.fault("entry-origin", f"index {index}")
                if value["event"] in seen:
                    self.fault("event-repeated", f"index {index}")
                seen.add(value["event"])
                entries.append((index, value))
        return leaves, entries

    def check_tiles(self, hashes):
        level = 0
        while hashes:
            for n, width in spans(len(hashes)):
                data = self.read(f"tile/{level}/{position(n, width)}")
                if data != b"".join(hashes[256 * n : 256 * n + width]):
                    self.fault("tile-missing" if data is None else "tile-altered", f"level {level}, tile {n}")
            hashes = [tree(hashes[at : at + 256]) for at in range(0, len(hashes) // 256 * 256, 256)]
            level += 1

    def check_reach(self, entries, size):
        """How far the witnesses' cosignatures reach, and whether that is far enough."""
        if not self.quorum or self.witnessed is None:
            return
        reach = self.witnessed
        self.said.append(f"Witnesses vouch for the first {reach} of {size} entries.")
        if self.scope_witnessed > reach:
            self.fault("witness-scope", f"the export's entry says that {self.scope_witnessed} entries were witnessed")
        first, last = entries.get(reach), entries.get(size - 1)
        if first and last:
            waited = datetime.datetime.fromisoformat(last["at"]) - datetime.datetime.fromisoformat(first["at"])
            if waited > datetime.timedelta(minutes=self.trust.get("witnessed_within_minutes", 245)):
                self.fault("witness-behind", f"index {reach}: older than the limit, and no quorum has seen it")

    def check_openings(self, entries, size):
        scope, self.scope_witnessed = None, 0
        manifest = self.read("bundle.json")
        try:
            named = parse_json((manifest or b"").removesuffix(b"\n"))
            if sorted(named) != ["export", "v"] or named["v"] != 1 or not manifest.endswith(b"\n"):
                raise ValueError("manifest")
            looks = [(i, v) for i, v in entries if v["type"] == "log.access"]
            exports = [(i, v) for i, v in looks if v["body"]["action"] == "export" and v["body"]["outcome"] == "answered"]
            index, recorded = next((i, v) for i, v in exports if v["event"] == named["export"])
            export = recorded["body"]
        except (ValueError, TypeError, KeyError, StopIteration):
            self.fault("manifest-unfounded", "bundle.json names no entry that records this export")
            return
        self.scope_witnessed = export.get("witnessed", 0)
        reader, openings = export.get("recipient", "nobody in particular"), export["openings"]
        self.said.append(f"Entry {index} records this export: {recorded['at']}, by {export['client']}, for {reader}, openings: {openings}.")
        if exports[-1][0] != index:
            self.fault("manifest-superseded", f"entry {exports[-1][0]} records a newer export than the one that bundle.json names")
        keys = self.read("keys.toml")
        if keys is None or hashlib.sha256(keys).hexdigest() != export.get("keys_sha256"):
            self.fault("keys-altered", "keys.toml is not what the entry of the export names")
        if export["openings"] == "permitted":
            scope = {(l["supplier"], l["feed"], l["item"]) for l in export["decisions"] if l["outcome"] == "permitted"}
        if scope is None or not self.with_openings:
            return
        due, erased = {}, set()
        for index, value in entries:
            if value["type"] == "erasure":
                erased.update(value["body"]["events"])
            if value["type"] in ("enquiry", "family.disclosure"):
                feeds = {(f["supplier"], f["feed"]) for f in value["body"]["feeds"]}
                lines = [l for l in value["body"]["decisions"] if l["outcome"] == "permitted"]
                lines = [l for l in lines if (l["supplier"], l["feed"]) in feeds]
                own = value["body"]["recipient"] == export["recipient"]
                judged = lines or value["body"]["decisions"]
                covered = bool(judged) and all((l["supplier"], l["feed"], l["item"]) in scope for l in judged)
                if covered or (own and not lines):
                    for field in ("actor", "answer", "case") if own else ("actor",):
                        due[value["event"], field] = (index // 256, value["body"]["commitments"][field])
        for n, _ in spans(size):
            data = self.read("openings/" + position(n)) or b""
            if data and not data.endswith(b"\n"):
                self.fault("opening-malformed", f"openings {n}")
            for line in data.split(b"\n")[:-1]:
                try:
                    opening = parse_json(line)
                    if sorted(opening) != ["event", "field", "salt", "value"]:
                        raise ValueError("opening")
                    salt, value, field = b64url(opening["salt"]), b64url(opening["value"]), opening["field"]
                except (ValueError, TypeError):
                    self.fault("opening-malformed", f"openings {n}")
                    continue
                beside, commitment = due.pop((opening["event"], field), (None, None))
                if beside != n:
                    self.fault("opening-unknown", f"openings {n}")
                    continue
                message = b"porth/v1/commitment" + len(field).to_bytes(2, "big") + field.encode() + value
                if hmac.new(salt, message, hashlib.sha256).hexdigest() != commitment or len(salt) != 32:
                    self.fault("opening-forged", f"event {opening['event']}")
                if opening["event"] in erased:
                    self.fault("opening-not-erased", f"event {opening['event']}")
        for event in sorted({event for event, _ in due} - erased):
            self.fault("opening-missing", f"event {event}, and no erasure entry says why")


def self_test():
    """The examples of RFC 8032 section 7.1, TEST 1 to 3, and each with a flipped bit."""
    vectors = [
        ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
        ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ]
    for key, message, signature in vectors:
        key, message, signature = map(bytes.fromhex, (key, message, signature))
        assert signed(key, message, signature)
        for at in range(0, 64, 7):
            flipped = bytearray(signature)
            flipped[at] ^= 1
            assert not signed(key, message, bytes(flipped)), at
        assert not signed(key, message + b"x", signature)
    print("Ed25519 verifies the examples of RFC 8032 and no altered one")


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    plain, held, with_openings = [], [], True
    rest = iter(arguments)
    for argument in rest:
        if argument == "--checkpoint":
            name = next(rest)
            held.append((name, pathlib.Path(name).read_bytes()))
        elif argument == "--without-openings":
            with_openings = False
        else:
            plain.append(argument)
    if len(plain) != 2:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    trust = tomllib.loads(pathlib.Path(plain[1]).read_text())
    bundle = Bundle(plain[0], trust, held, with_openings)
    faults = bundle.check()
    print("\n".join(bundle.said + (faults or ["Nothing is wrong."])))
    sys.exit(4 if faults else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
