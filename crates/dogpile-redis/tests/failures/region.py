"""A region of dogpile.cache with values in JSON, told what to do line by line."""

import json
import sys
import time

from dogpile.cache import make_region
from dogpile.cache.api import NO_VALUE

region = make_region(
    serializer=lambda value: json.dumps(value).encode(),
    deserializer=lambda stored: json.loads(stored),
).configure(
    "dogpile.cache.redis",
    arguments={
        "host": "127.0.0.1",
        "port": int(sys.argv[1]),
        "distributed_lock": True,
        "thread_local_lock": False,
        "lock_timeout": 30,
    },
)
made = 0
held = {}


def create(seconds):
    global made
    made += 1
    time.sleep(seconds)
    return "made in python"


def answer(command, key="", rest=""):
    if command == "set":
        region.set(key, json.loads(rest))
    elif command == "get":
        value = region.get(key)
        return "no value" if value is NO_VALUE else json.dumps(value)
    elif command == "age":
        return int(region.get_value_metadata(key).age)
    elif command == "delete":
        region.delete(key)
    elif command == "create":
        return json.dumps(region.get_or_create(key, lambda: create(float(rest))))
    elif command == "made":
        return made
    elif command == "lock":
        held[key] = region.backend.get_mutex(key)
        held[key].acquire()
    elif command == "unlock":
        held.pop(key).release()
    return "done"


print("ready")
for line in sys.stdin:
    print(answer(*line.rstrip("\n").split(" ", 2)))
