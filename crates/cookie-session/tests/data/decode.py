"""Opens a token of version 1, as docs/formats/session.md has it. Key, cookie name, purpose and audience
are arguments, the token comes from standard input, and what it says goes to standard output as JSON."""
import base64, json, sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

def unbase64(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
def prefixed(text): return len(text.encode()).to_bytes(2, "big") + text.encode()

def cmac(key, message):
    mac = CMAC(AES256(key))
    mac.update(message)
    return mac.finalize()

def open_token(key, name, purpose, audience, token):
    info = b"cookie-session v1" + prefixed(audience) + prefixed(purpose)
    derived = HKDF(SHA256(), 112, None, info).derive(unbase64(key[5:48]))
    raw = unbase64(token)
    head, nonce, sealed = raw[:17], raw[17:41], raw[41:]
    assert head == b"\x01" + derived[96:], "another version, or another key"
    half = lambda n: cmac(derived[:32], bytes([0, n]) + b"X\x00" + nonce[:12])  # XAES-256-GCM
    bound = head + prefixed(name) + prefixed(purpose) + prefixed(audience)
    return AESGCM(half(1) + half(2)).decrypt(nonce[12:], sealed, bound)

def read(text):
    rest = iter(text)
    take = lambda count: bytes(next(rest) for _ in range(count))
    number = lambda: (lambda byte: byte & 127 | (number() << 7 if byte > 127 else 0))(next(rest))
    flags, at = next(rest), {"schema": number(), "id": take(16).hex(), "issued": number(), "started": number()}
    at |= {name: at["issued"] + number() for name in ("idle_until", "absolute_until")}
    at |= {name: at["issued"] - number() for bit, name in ((1, "authenticated"), (2, "checked")) if flags & bit}
    at |= {"session_generation": number(), "user_generation": number()}
    at |= {name: take(number()).hex() for bit, name in ((4, "user"), (8, "flash")) if flags & bit}
    return at | {"content": bytes(rest).hex()}

if __name__ == "__main__":
    print(json.dumps(read(open_token(*sys.argv[1:5], sys.stdin.read().strip()))))
