"""Opens a token of version 1, as docs/formats/session.md has it. Key, cookie name, purpose and audience
are arguments, the token comes from standard input, and what it says goes to standard output as JSON."""
import base64, io, json, msgpack, sys
from cryptography.hazmat.primitives import ciphers, cmac, hashes
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

def unbase64(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
def prefixed(text): return len(text.encode()).to_bytes(2, "big") + text.encode()

def open_token(key, name, purpose, audience, token):
    info = b"cookie-session v1" + prefixed(audience) + prefixed(purpose)
    derived = HKDF(hashes.SHA256(), 112, None, info).derive(unbase64(key[5:48]))
    raw = unbase64(token)
    head, nonce, sealed = raw[:17], raw[17:41], raw[41:]
    assert head == b"\x01" + derived[96:], "another version, or another key"
    def half(n):  # of the key of XAES-256-GCM
        mac = cmac.CMAC(ciphers.algorithms.AES256(derived[:32]))
        mac.update(bytes([0, n]) + b"X\x00" + nonce[:12])
        return mac.finalize()
    bound = head + prefixed(name) + prefixed(purpose) + prefixed(audience)
    return aead.AESGCM(half(1) + half(2)).decrypt(nonce[12:], sealed, bound)

def unpack(value): return msgpack.unpackb(value, strict_map_key=False) if value else None

def read(text):
    rest = io.BytesIO(text)
    number = lambda: (lambda byte: byte & 127 | (number() << 7 if byte > 127 else 0))(rest.read(1)[0])
    field = lambda: rest.read(number())
    pairs = lambda end: [(field().decode(), field()) for _ in iter(lambda: rest.tell() < end, False)]
    flags, at = rest.read(1)[0], {"schema": number(), "id": rest.read(16).hex(), "issued": number(), "started": number()}
    at |= {name: at["issued"] + number() for name in ("idle_until", "absolute_until")}
    at |= {name: at["issued"] - number() for bit, name in ((1, "authenticated"), (2, "checked")) if flags & bit}
    at |= {"session_generation": number(), "user_generation": number()}
    at |= {"user": field().decode()} if flags & 4 else {}
    at |= {"flash": [(level, said.decode()) for level, said in pairs(number() + rest.tell())] if flags & 8 else []}
    if at["schema"]: return at | {"content": unpack(rest.read())}
    return at | {"content": {key: unpack(value) for key, value in pairs(len(text))}}

if __name__ == "__main__": print(json.dumps(read(open_token(*sys.argv[1:5], sys.stdin.read().strip())), default=bytes.hex))
