#!/usr/bin/env python3
"""A whole client of a Porth gateway in one file: access token, one enquiry, receipt.

Needs Python 3.11 and its standard library. Signatures come from the `cryptography` package where it is
installed, else from the `openssl` program. It reads the folder that `porth join` made.

    porth_client.py check-vectors tests/vectors/token-v1.json
    porth_client.py ask --folder porth-agency --nhs "999 000 0018" --agreement early-help-core/v1 \\
        --purpose early-help-screening --mode areas --relationship referral --role hub-screener --case C-1 --user me
"""

import argparse
import base64
import hashlib
import hmac
import http.client
import json
import secrets
import ssl
import stat
import struct
import subprocess
import sys
import time
import tomllib
import urllib.parse
from pathlib import Path

NORM = 1


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def lp(data: bytes) -> bytes:
    """A 2-byte big-endian length, then the bytes."""
    return struct.pack(">H", len(data)) + data


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


# --- Tokens -------------------------------------------------------------------------------------------


def type_key(root: bytes, programme: str, epoch: int, token_type: str) -> bytes:
    """HKDF-SHA256 of the linkage root key: what only a key custodian computes."""
    salt = b"porth/v1/programme" + lp(programme.encode()) + struct.pack(">I", epoch)
    info = b"porth/v1/token-key" + lp(token_type.encode()) + struct.pack(">H", NORM)
    return mac(mac(salt, root), info + b"\x01")


def token(key: bytes, programme: str, epoch: int, token_type: str, value: bytes) -> str:
    """The token of a normalised value."""
    message = b"porth/v1/token" + lp(token_type.encode()) + struct.pack(">H", NORM)
    message += lp(programme.encode()) + struct.pack(">I", epoch) + lp(value)
    return base64url(mac(key, message))


def key_check(key: bytes) -> str:
    """Tells the gateway whether this is the right key, and nothing else."""
    return mac(key, b"porth/v1/kcv")[:8].hex()


def check_vectors(path: str) -> None:
    vectors = json.loads(Path(path).read_text())
    programme, epoch = vectors["programme"], vectors["epoch"]
    for vector in vectors["tokens"]:
        name = vector["type"]
        key = type_key(bytes.fromhex(vectors["linkage_root_key"]), programme, epoch, name)
        made = token(key, programme, epoch, name, bytes.fromhex(vector["value_hex"]))
        if made != vector["token"] or key_check(key) != vector["key_check"]:
            sys.exit(f"{name}: not the published answer")
    print(f"{len(vectors['tokens'])} golden vectors come out as published")


def nhs_number(text: str) -> bytes:
    """The ten digits, if the check digit agrees. The other identifiers are in docs/tokenise.md."""
    digits = [int(c) for c in text if c not in " -"] if all(c.isdigit() or c in " -" for c in text) else []
    total = sum(digit * weight for digit, weight in zip(digits, range(10, 0, -1)))
    if len(digits) != 10 or len(set(digits)) == 1 or total % 11 != 0:
        sys.exit("the NHS number is not one: ten digits with the right check digit")
    return "".join(map(str, digits)).encode()


# --- Who we are ---------------------------------------------------------------------------------------


def read_secret(path: Path) -> bytes:
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        sys.exit(f"{path} can be read by others: chmod 600")
    return path.read_bytes()


class Signer:
    """The key of our assertions: Ed25519 or P-256, in PKCS#8 PEM."""

    def __init__(self, path: Path, how: str):
        self.path, self.key = path, None
        pem = read_secret(path)
        if how != "openssl":
            try:
                from cryptography.hazmat.primitives.serialization import load_pem_private_key

                self.key = load_pem_private_key(pem, None)
            except ImportError:
                if how == "cryptography":
                    raise
        der = self._public_der()
        # Both kinds end in the bare key: 32 bytes of Ed25519, or two coordinates of P-256.
        if len(der) == 44:
            self.algorithm = "EdDSA"
            members = {"crv": "Ed25519", "kty": "OKP", "x": base64url(der[-32:])}
        else:
            self.algorithm = "ES256"
            members = {"crv": "P-256", "kty": "EC", "x": base64url(der[-64:-32]), "y": base64url(der[-32:])}
        # RFC 7638: the required members in order, without white space.
        text = json.dumps(members, sort_keys=True, separators=(",", ":"))
        self.key_id = base64url(hashlib.sha256(text.encode()).digest())

    def _public_der(self) -> bytes:
        if self.key is None:
            return subprocess.run(
                ["openssl", "pkey", "-in", self.path, "-pubout", "-outform", "DER"], check=True, capture_output=True
            ).stdout
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, message: bytes) -> bytes:
        signature = self._openssl(message) if self.key is None else self._cryptography(message)
        return signature if self.algorithm == "EdDSA" else raw_signature(signature)

    def _openssl(self, message: bytes) -> bytes:
        import tempfile

        # Ed25519 signs in one go, for which this program wants a file. What is in it is no secret.
        with tempfile.NamedTemporaryFile() as file:
            file.write(message)
            file.flush()
            command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", str(self.path), "-in", file.name]
            if self.algorithm == "ES256":
                command += ["-digest", "sha256"]
            return subprocess.run(command, check=True, capture_output=True).stdout

    def _cryptography(self, message: bytes) -> bytes:
        if self.algorithm == "EdDSA":
            return self.key.sign(message)
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.hashes import SHA256

        return self.key.sign(message, ec.ECDSA(SHA256()))


def raw_signature(der: bytes) -> bytes:
    """The two numbers of an ECDSA signature, 32 bytes each, from their DER form."""
    parts, at = [], 2
    while at < len(der):
        length = der[at + 1]
        parts.append(der[at + 2 : at + 2 + length].lstrip(b"\0").rjust(32, b"\0"))
        at += 2 + length
    return b"".join(parts)


class Gateway:
    """A TLS 1.3 connection with our client certificate, and an access token bound to it."""

    def __init__(self, folder: Path, signer: str):
        self.connection = tomllib.loads((folder / "connection.toml").read_text())
        place = urllib.parse.urlsplit(self.connection["gateway"])
        tls = ssl.create_default_context(cafile=folder / self.connection["root"])
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
        private_key = folder / self.connection["private_key"]
        read_secret(private_key)
        tls.load_cert_chain(folder / self.connection["certificate"], private_key)
        self.http = http.client.HTTPSConnection(place.hostname, place.port or 443, context=tls, timeout=30)
        self.signer = Signer(folder / self.connection["assertion_key"], signer)
        self.token = self._token()

    def _token(self) -> str:
        """`private_key_jwt`: a signed assertion, good once and for a minute."""
        client, now = self.connection["client_id"], int(time.time())
        header = {"alg": self.signer.algorithm, "typ": "client-authentication+jwt", "kid": self.signer.key_id}
        claims = {"iss": client, "sub": client, "aud": self.connection["issuer"], "iat": now, "exp": now + 60}
        claims["jti"] = base64url(secrets.token_bytes(16))
        signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": f"{signed}.{base64url(self.signer.sign(signed.encode()))}",
        }
        body = urllib.parse.urlencode(form)
        return self._call("/oauth/token", body, {"Content-Type": "application/x-www-form-urlencoded"})["access_token"]

    def post(self, path: str, value: dict) -> dict:
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.token}",
            # A new one for every question; the same one to repeat a question whose answer was lost.
            "Idempotency-Key": secrets.token_hex(16),
        }
        return self._call(path, json.dumps(value), headers)

    def _call(self, path: str, body: str, headers: dict) -> dict:
        self.http.request("POST", path, body, headers)
        response = self.http.getresponse()
        answer = json.loads(response.read())
        if response.status >= 300:
            sys.exit(f"{answer.get('kind')}: {answer.get('title')} {answer.get('next')}")
        return answer


def ask(args: argparse.Namespace) -> None:
    folder = Path(args.folder)
    keys = json.loads(read_secret(folder / "agency-keys.json"))
    programme, reference_key = keys["programme"], bytes.fromhex(keys["reference_key"])
    epochs, tokens = [], {}
    for share in keys["linkage"]:
        key, epoch = bytes.fromhex(share["types"]["nhs"]), share["epoch"]
        epochs.append({"epoch": epoch, "key_checks": {"nhs": key_check(key)}})
        tokens[str(epoch)] = {"nhs": [token(key, programme, epoch, "nhs", nhs_number(args.nhs))]}

    def reference(label: str, text: str) -> str:
        return base64url(mac(reference_key, label.encode() + lp(text.encode()))[:16])

    answer = Gateway(folder, args.signer).post(
        "/v1/enquiries",
        {
            "programme": programme, "agreement": args.agreement, "purpose": args.purpose, "mode": args.mode,
            "relationship": args.relationship, "role": args.role,
            "case": reference("porth/v1/case-ref", args.case), "user": reference("porth/v1/user-ref", args.user),
            "scheme": "pt1", "norm": NORM, "epochs": epochs, "tokens": tokens,
        },
    )
    for area in answer.get("areas") or []:
        print(f"{area['code']}: {area['state']}")
    if answer.get("eligible"):
        print(f"eligible: {answer['eligible']['state']}")
    print(f"disclosure {answer['disclosure']}, receipt:\n{answer['receipt']}", end="")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    vectors = commands.add_parser("check-vectors", help="compute the golden vectors and compare")
    vectors.add_argument("file")
    vectors.set_defaults(run=lambda args: check_vectors(args.file))
    one = commands.add_parser("ask", help="ask about one person by NHS number")
    one.add_argument("--folder", default="porth-agency")
    one.add_argument("--signer", choices=["auto", "cryptography", "openssl"], default="auto")
    for name in ["nhs", "agreement", "purpose", "mode", "relationship", "role", "case", "user"]:
        one.add_argument(f"--{name}", required=True)
    one.set_defaults(run=ask)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
