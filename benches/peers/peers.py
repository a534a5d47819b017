"""The peers' side of `benches/peers.rs`: one task a call, figures as JSON on standard output.

    peers.py clk PEOPLE.csv BITS FILTERS     clkhash, from fields to filters
    peers.py dice FILTERS THRESHOLD PAIRS    anonlink's native code, all against all
    peers.py join LEFT RIGHT PAIRS           DuckDB's hash join, pairs kept

Only the work itself is timed, in CPU seconds of this process: reading and writing files are not.
"""

import csv
import json
import sys
import time
from array import array


def clk(people, bits, filters):
    from clkhash.bloomfilter import stream_bloom_filters
    from clkhash.key_derivation import generate_key_lists
    from clkhash.schema import from_json_dict

    def feature(name, n, positional, field_bits):
        return {
            "identifier": name,
            "format": {"type": "string", "encoding": "utf-8"},
            "hashing": {
                "comparison": {"type": "ngram", "n": n, "positional": positional},
                "strategy": {"bitsPerFeature": field_bits},
                "hash": {"type": "blakeHash"},
            },
        }

    shapes = [("given_name", 2, False), ("surname", 2, False), ("date_of_birth", 1, True), ("postcode", 1, True)]
    schema = from_json_dict({
        "version": 3,
        "clkConfig": {
            "l": 1024,
            "kdf": {"type": "HKDF", "hash": "SHA256", "info": "", "salt": "", "keySize": 64},
        },
        "features": [feature(*shape, field_bits) for shape, field_bits in zip(shapes, bits)],
    })
    with open(people, newline="") as file:
        rows = [tuple(row) for row in csv.reader(file)]
    keys = generate_key_lists("not a secret", len(shapes))
    start = time.process_time()
    made = [made for made, _, _ in stream_bloom_filters(rows, keys, schema)]
    seconds = time.process_time() - start
    with open(filters, "wb") as file:
        for one in made:
            file.write(one.tobytes())
    return {"seconds": seconds, "count": len(made)}


def dice(filters, threshold, pairs):
    from anonlink.similarities import dice_coefficient_accelerated
    from bitarray import bitarray

    with open(filters, "rb") as file:
        data = file.read()
    made = []
    for at in range(0, len(data), 128):
        one = bitarray(endian="big")
        one.frombytes(data[at:at + 128])
        made.append(one)
    start = time.process_time()
    _, (left, right) = dice_coefficient_accelerated((made, made), threshold)
    seconds = time.process_time() - start
    write_pairs(pairs, left, right)
    return {"seconds": seconds, "count": len(left)}


def join(left, right, pairs):
    import duckdb
    import numpy

    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    for name, path in (("l", left), ("r", right)):
        words = numpy.fromfile(path, dtype=">u8").astype("u8").reshape(-1, 2)
        columns = {"high": words[:, 0].copy(), "low": words[:, 1].copy()}
        columns["place"] = numpy.arange(len(words), dtype="u4")
        connection.execute(
            f"CREATE TABLE {name} AS SELECT high::UHUGEINT * 18446744073709551616 + low AS token, place FROM columns")
    start = time.process_time()
    connection.execute("CREATE TABLE pairs AS SELECT l.place AS a, r.place AS b FROM l JOIN r USING (token)")
    seconds = time.process_time() - start
    found = connection.execute("SELECT a, b FROM pairs").fetchnumpy()
    write_pairs(pairs, found["a"].tolist(), found["b"].tolist())
    return {"seconds": seconds, "count": len(found["a"])}


def write_pairs(path, left, right):
    flat = array("I", (number for pair in zip(left, right) for number in pair))
    with open(path, "wb") as file:
        flat.tofile(file)


TASKS = {
    "clk": lambda people, bits, filters: clk(people, [int(part) for part in bits.split(",")], filters),
    "dice": lambda filters, threshold, pairs: dice(filters, float(threshold), pairs),
    "join": join,
}

if __name__ == "__main__":
    json.dump(TASKS[sys.argv[1]](*sys.argv[2:]), sys.stdout)
