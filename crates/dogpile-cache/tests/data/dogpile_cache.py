"""What dogpile.cache 1.5 does, for the tests of what this crate does.

    python3 dogpile_cache.py vectors        prints keys and stored forms as JSON
    python3 dogpile_cache.py set FOLDER     caches calls in a folder, one raw file for each key
    python3 dogpile_cache.py get FOLDER     prints what it finds there for the same calls
"""

import json
import os
import sys
import time

from dogpile.cache import make_region, register_backend, util
from dogpile.cache.api import NO_VALUE, BytesBackend


class Folder(BytesBackend):
    """Raw bytes, one file for each key, whose name has to be fit for a file."""

    def __init__(self, arguments):
        self.folder = arguments["folder"]

    def path(self, key):
        return os.path.join(self.folder, key)

    def get_serialized(self, key):
        try:
            with open(self.path(key), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return NO_VALUE

    def get_serialized_multi(self, keys):
        return [self.get_serialized(key) for key in keys]

    def set_serialized(self, key, value):
        with open(self.path(key), "wb") as file:
            file.write(value)

    def set_serialized_multi(self, mapping):
        for key, value in mapping.items():
            self.set_serialized(key, value)

    def delete(self, key):
        os.remove(self.path(key))

    def delete_multi(self, keys):
        for key in keys:
            self.delete(key)


class Dictionary(BytesBackend):
    def __init__(self, arguments):
        self.kept = {}

    def get_serialized(self, key):
        return self.kept.get(key, NO_VALUE)

    def get_serialized_multi(self, keys):
        return [self.get_serialized(key) for key in keys]

    def set_serialized(self, key, value):
        self.kept[key] = value

    def set_serialized_multi(self, mapping):
        self.kept.update(mapping)

    def delete(self, key):
        self.kept.pop(key, None)

    def delete_multi(self, keys):
        for key in keys:
            self.delete(key)


register_backend("test.folder", __name__, "Folder")
register_backend("test.dictionary", __name__, "Dictionary")

CALLS = [
    ["alice", 15],
    ["a b", "c"],
    ["Zoë", None],
    [True, False, 0.5],
    [-1, 1e16, 1e-05, 123456789.125],
    ["", ""],
    [],
]
VALUES = [{"a": 1}, [1, 2.5, None], "text | with a bar", "Zoë", 0, True, {"nested": {"deep": [{}]}}]
TIMES = [1700000000.25, 1700000000.0, 0.001, 1795309722.812, 1.0, 253402300799.999]


def region(backend, mangler=None, **arguments):
    made = make_region(
        serializer=lambda value: json.dumps(value).encode(),
        deserializer=json.loads,
        key_mangler=mangler,
    )
    return made.configure("test." + backend, expiration_time=60, arguments=arguments)


def one(a="", b="", *rest):
    pass


one.__module__ = "myapp.tools"


def keys():
    for namespace in [None, "foo"]:
        single = util.function_key_generator(namespace, one)
        many = util.function_multi_key_generator(namespace, one)
        named = util.kwarg_function_key_generator(namespace, one)
        for call in CALLS:
            yield {"how": "function", "namespace": namespace, "call": call, "key": single(*call)}
            yield {"how": "multi", "namespace": namespace, "call": call, "key": many(*call)}
            if len(call) == 2:
                key = named(b=call[0], a=call[1])
                yield {"how": "named", "namespace": namespace, "call": call, "key": key}


def mangled():
    long = util.length_conditional_mangler(40, util.sha1_mangle_key)
    for name in ["some_key", "tests.cache.test_decorator:one|1 2", "Zoë", "x" * 39, "x" * 40, "ë" * 39, "ë" * 40, "x" * 300]:
        sha1 = util.sha1_mangle_key(name.encode() if isinstance(name, str) else name)
        yield {"name": name, "sha1": sha1, "long": long(name)}


def stored():
    now = time.time
    for moment in TIMES:
        for value in VALUES:
            time.time = lambda moment=moment: moment
            made = region("dictionary")
            made.set("key", value)
            time.time = now
            raw = made.actual_backend.kept["key"]
            yield {"ct": moment, "value": value, "stored": raw.decode()}


def shared(folder):
    made = region("folder", util.sha1_mangle_key, folder=folder)
    for namespace in [None, "foo"]:
        key = util.function_key_generator(namespace, one)
        for call, value in zip(CALLS, VALUES):
            yield made, key(*call), value


def main(command, *arguments):
    if command == "vectors":
        vectors = {"keys": list(keys()), "mangled": list(mangled()), "stored": list(stored())}
        print(json.dumps(vectors, indent=1))
    elif command == "set":
        for made, key, value in shared(*arguments):
            made.set(key, value)
    elif command == "get":
        found = [made.get(key) for made, key, _ in shared(*arguments)]
        print(json.dumps([None if value is NO_VALUE else {"found": value} for value in found]))
    else:
        raise SystemExit(__doc__)


main(*sys.argv[1:])
