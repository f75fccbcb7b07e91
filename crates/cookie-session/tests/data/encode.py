"""Seals what decode.py prints, as docs/formats/session.md has it, and makes CSRF tokens. Key, cookie name,
purpose and audience are arguments, the session comes from standard input as JSON; it prints both tokens."""
import base64, hmac, json, msgpack, os, sys
from cryptography.hazmat.primitives import ciphers, cmac, hashes
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from decode import prefixed, unbase64

def base64url(raw): return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
def number(n): return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + number(n >> 7)
def field(raw): return number(len(raw)) + raw
def pairs(items): return b"".join(field(name.encode()) + field(value) for name, value in items)

def write(at):
    optional = [name in at for name in ("authenticated", "checked", "user")] + [at["flash"] != []]
    text = bytes([sum(1 << bit for bit, present in enumerate(optional) if present)]) + number(at["schema"])
    text += bytes.fromhex(at["id"]) + number(at["issued"]) + number(at["started"])
    text += b"".join(number(at[name] - at["issued"]) for name in ("idle_until", "absolute_until"))
    text += b"".join(number(at["issued"] - at[name]) for name in ("authenticated", "checked") if name in at)
    text += number(at["session_generation"]) + number(at["user_generation"])
    text += field(at["user"].encode()) if "user" in at else b""
    text += field(pairs((level, said.encode()) for level, said in at["flash"])) if at["flash"] else b""
    if at["schema"]: return text + msgpack.packb(at["content"])
    return text + pairs((key, msgpack.packb(value)) for key, value in at["content"].items())

def seal(derived, name, purpose, audience, text):
    head, nonce = b"\x01" + derived[96:], os.urandom(24)
    def half(n):  # of the key of XAES-256-GCM
        mac = cmac.CMAC(ciphers.algorithms.AES256(derived[:32]))
        mac.update(bytes([0, n]) + b"X\x00" + nonce[:12])
        return mac.finalize()
    bound = head + prefixed(name) + prefixed(purpose) + prefixed(audience)
    return base64url(head + nonce + aead.AESGCM(half(1) + half(2)).encrypt(nonce[12:], text, bound))

def csrf_token(derived, id):
    secret, mask = hmac.digest(derived[32:64], id, "sha256"), os.urandom(32)
    return base64url(mask + bytes(a ^ b for a, b in zip(mask, secret)))

if __name__ == "__main__":
    (key, name, purpose, audience), at = sys.argv[1:5], json.load(sys.stdin)
    info = b"cookie-session v1" + prefixed(audience) + prefixed(purpose)
    derived = HKDF(hashes.SHA256(), 112, None, info).derive(unbase64(key[5:48]))
    csrf = csrf_token(derived, bytes.fromhex(at["id"]))
    print(json.dumps({"token": seal(derived, name, purpose, audience, write(at)), "csrf": csrf}))
