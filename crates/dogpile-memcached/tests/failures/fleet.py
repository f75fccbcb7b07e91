"""pylibmc and pymemcache on the fleet of a test, told what to do line by line.

What they share with dogpile-memcached is written here anew, from docs/formats/memcached.md: the ring, the
names of keys, and the bytes of an entry.
"""

import base64
import bisect
import hashlib
import json
import struct
import sys
import time

import pylibmc
from pymemcache.client.hash import HashClient

FLAGS = 0xD09E0000
servers = sys.argv[1:]


def item(key):
    """The name under which a plain key is kept."""
    raw = key.encode()
    sendable = not any(b <= 32 or b == 127 for b in raw)
    if sendable and 1 <= len(raw) <= 250 and key[0] != "~":
        return key
    tagged = b"n" + raw
    if sendable and len(tagged) < 250:
        return "~" + tagged.decode()
    encoded = base64.urlsafe_b64encode(tagged).rstrip(b"=").decode()
    if len(encoded) + 2 <= 250:
        return "~b" + encoded
    digest = hashlib.sha256(tagged).digest()
    return "~h" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def sealed(value):
    """An entry: a mark, when it was created, and the value."""
    created = struct.pack(">Q", int(time.time() * 1000))[2:]
    return b"\xd0" + created + json.dumps(value).encode()


def opened(stored):
    assert stored[0] == 0xD0, stored[:20]
    created = struct.unpack(">Q", b"\0\0" + stored[1:7])[0] / 1000
    assert abs(time.time() - created) < 600, created
    return json.loads(stored[7:])


class Ketama:
    """libmemcached's weighted ring of equal weights: 160 points a server."""

    def __init__(self):
        self.points = []

    def add_node(self, node):
        for nth in range(40):
            digest = hashlib.md5(f"{node}-{nth}".encode()).digest()
            for point in struct.unpack("<4I", digest):
                bisect.insort(self.points, (point, node))

    def remove_node(self, node):
        self.points = [point for point in self.points if point[1] != node]

    def get_node(self, key):
        key = key if isinstance(key, bytes) else key.encode()
        place = struct.unpack("<I", hashlib.md5(key).digest()[:4])[0]
        at = bisect.bisect_left(self.points, (place, ""))
        return self.points[at % len(self.points)][1]


class Entries:
    """Entries with their flags, as pymemcache asks for them."""

    def serialize(self, key, value):
        return sealed(value), FLAGS

    def deserialize(self, key, stored, flags):
        assert flags == FLAGS, hex(flags)
        return opened(stored)


class Pylibmc(pylibmc.Client):
    def serialize(self, value):
        return sealed(value), FLAGS

    def deserialize(self, stored, flags):
        assert flags & 0xFFFFFFFF == FLAGS, hex(flags)
        return opened(stored)


addresses = [(host, int(port)) for host, port in (server.split(":") for server in servers)]
clients = {
    "pylibmc": Pylibmc(servers, behaviors={"ketama_weighted": True}),
    "pymemcache": HashClient(
        addresses, hasher=Ketama, serde=Entries(), default_noreply=False
    ),
}


def answer(client, command, expected):
    wrong = 0
    for key, value in expected.items():
        name = item(key)
        if command == "write":
            wrong += not client.set(name, value)
        elif command == "read":
            wrong += client.get(name) != value
        elif command == "delete":
            client.delete(name)
            wrong += client.get(name) is not None
    return f"{len(expected) - wrong} of {len(expected)}"


print("ready")
for line in sys.stdin:
    client, command, expected = line.split(" ", 2)
    print(answer(clients[client], command, json.loads(expected)))
