"""An independent reader of stores, written from src/format/FORMAT.md alone: slow, short, no dependencies.

Usage: read_store.py STORE OUT        restores the files of every checkpoint to OUT/<id>/
"""

import json
import os
import re
import struct
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "codec"))
from decode_record import decode  # noqa: E402  (FORMAT.md, "Chunk records")
from unpacked_form import rebuild  # noqa: E402  (FORMAT.md, "Unpacked files")

MASK = 2**64 - 1
PRIMES = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
DTYPE_BYTES = dict(enumerate([1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 1, 1, 2, 2, 4, 8, 8, 16], start=1))


def xxh64(data):
    p1, p2, p3, p4, p5 = PRIMES
    rotate = lambda x, n: ((x << n) | (x >> (64 - n))) & MASK
    step = lambda lane, word: rotate((lane + word * p2) & MASK, 31) * p1 & MASK
    at, end = 0, len(data)
    if end >= 32:
        lanes = [(p1 + p2) & MASK, p2, 0, -p1 & MASK]
        while at + 32 <= end:
            words = struct.unpack_from("<4Q", data, at)
            lanes = [step(lane, word) for lane, word in zip(lanes, words)]
            at += 32
        value = sum(rotate(lane, n) for lane, n in zip(lanes, (1, 7, 12, 18))) & MASK
        for lane in lanes:
            value = ((value ^ step(0, lane)) * p1 + p4) & MASK
    else:
        value = p5
    value = (value + end) & MASK
    while at + 8 <= end:
        value = (rotate(value ^ step(0, struct.unpack_from("<Q", data, at)[0]), 27) * p1 + p4) & MASK
        at += 8
    if at + 4 <= end:
        value = (rotate(value ^ struct.unpack_from("<I", data, at)[0] * p1 & MASK, 23) * p2 + p3) & MASK
        at += 4
    while at < end:
        value = rotate(value ^ data[at] * p5 & MASK, 11) * p1 & MASK
        at += 1
    value = (value ^ value >> 33) * p2 & MASK
    value = (value ^ value >> 29) * p3 & MASK
    return value ^ value >> 32


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        assert 0 <= count <= len(self.data) - self.at, "truncated"
        self.at += count
        return self.data[self.at - count : self.at]

    def unpack(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def u8(self):
        return self.unpack("<B")

    def varint(self):
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def text(self):
        return self.take(self.varint()).decode()

    def list(self, item):
        return [item() for _ in range(self.varint())]

    def finish(self, result):
        assert self.at == len(self.data), "bytes are left over"
        return result


def message_pack(r):
    tag = r.u8()
    if tag < 0x80:
        return tag
    if tag < 0x90:
        return {message_pack(r): message_pack(r) for _ in range(tag & 15)}
    if tag < 0xA0:
        return [message_pack(r) for _ in range(tag & 15)]
    if tag < 0xC0:
        return r.take(tag & 31).decode()
    if tag >= 0xE0:
        return tag - 256
    scalars = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
    scalars.update({0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"})
    if tag in scalars:
        return r.unpack(scalars[tag])
    if tag in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[tag]
    sizes = {0xC4: "B", 0xC5: "H", 0xC6: "I", 0xD9: "B", 0xDA: "H", 0xDB: "I", 0xDC: "H", 0xDD: "I", 0xDE: "H", 0xDF: "I"}
    count = r.unpack(">" + sizes[tag])
    if tag <= 0xC6:
        return r.take(count)
    if tag <= 0xDB:
        return r.take(count).decode()
    if tag <= 0xDD:
        return [message_pack(r) for _ in range(count)]
    return {message_pack(r): message_pack(r) for _ in range(count)}


def envelope(data, magic, newest=1):
    """Returns the payload and the length of the envelope at the start of the data."""
    r = Reader(data)
    assert r.take(4) == magic and 1 <= r.u8() <= newest, "not a " + magic.decode()
    flags, reserved, stored, length = r.u8(), r.unpack("<H"), r.unpack("<I"), r.unpack("<I")
    assert flags < 2 and reserved == 0 and stored <= length
    payload = r.take(stored)
    assert xxh64(data[: r.at]) == r.unpack("<Q"), "checksum"
    payload = zlib.decompress(payload, -15) if flags else payload
    assert len(payload) == length
    return payload, r.at


def record_map(data, magic, newest=1):
    r = Reader(envelope(data, magic, newest)[0])
    return r.finish(message_pack(r))


def chunk_table(r, pack):
    count = r.varint()
    ids = [r.take(16) for _ in range(count)]
    gaps, lengths, raw = ([r.varint() for _ in range(count)] for _ in range(3))
    heights = [r.u8() for _ in range(count)]
    checksums = [r.unpack("<I") for _ in range(count)]
    entries, end = [], 0
    for i in range(count):
        entry = {"id": ids[i], "pack": pack, "offset": end + gaps[i], "length": lengths[i], "raw": raw[i]}
        entry.update(height=heights[i], checksum=checksums[i], reads=[r.take(16) for _ in range(r.u8())])
        assert (len(entry["reads"]) == 0) == (entry["height"] == 0)
        end = entry["offset"] + entry["length"]
        entries.append(entry)
    return entries


def layout_of(r, unpacked):
    def stream():
        return {"key": r.text(), "dtype": r.u8(), "chunking": r.u8(), "elements": r.varint()}

    def tensor():
        name, group, dtype = r.text(), r.u8(), r.u8()
        shape = r.list(r.varint)

        def box():
            flags = r.u8()
            if flags & 1:
                [r.varint() for _ in range(2 * len(shape))]
            place = r.varint(), r.varint()
            return place, [r.varint() for _ in shape] if flags & 2 else None

        return {"name": name, "group": group, "dtype": dtype, "shape": shape, "boxes": r.list(box)}

    def piece():
        code = r.varint()
        return (None, 0, r.varint()) if code == 0 else (code - 1, r.varint(), r.varint())

    def file():
        facts = {"format": r.text(), "size": r.varint(), "mode": r.varint()}
        assert facts["mode"] < (0o2000 if unpacked else 0o1000)
        facts["unpacked"] = r.varint() if facts["mode"] >= 0o1000 else None
        return {**facts, "skeleton": r.varint() - 1, "pieces": r.list(piece)}

    return r.finish({"streams": r.list(stream), "tensors": r.list(tensor), "files": r.list(file)})


GROUPS = [None, "model", "optimizer", "scheduler", "rng", "loader", "extra"]


def dropped_streams(layout, groups):
    """Returns the numbers of the streams in which there are tensors, and only of these groups."""
    assert all(group in GROUPS for group in groups), "unknown group"
    whole = [tensor for tensor in layout["tensors"] if 0 not in tensor["shape"]]
    places = [(place[0], GROUPS[tensor["group"]] in groups) for tensor in whole for place, _ in tensor["boxes"]]
    return {stream for stream, gone in places if gone} - {stream for stream, gone in places if not gone}


def is_cut(file, dropped):
    return any(length > 0 and stream in dropped for stream, _, length in file["pieces"])


def setting(r):
    name, kind = r.text(), r.u8()
    assert kind in (1, 2, 3)
    return name, r.unpack("<d") if kind == 3 else kind == 2


class Store:
    def __init__(self, path):
        self.path = path
        config = json.loads(self.get("thetalog.json"))
        assert (config["format"], config["version"], config["hash"], config["features"]) == ("thetalog", 1, "xxh3-128", [])
        self.chunk_elements = config["chunkElements"]
        names = os.listdir(os.path.join(path, "root"))
        boundary = max([int(n.split(".")[1]) for n in names if n.startswith("boundary.")], default=0)
        newest = max(n for n in names if re.fullmatch(r"\d{20}", n) and int(n) > boundary)
        self.root = record_map(self.get("root/" + newest), b"TLRT")

    def get(self, key):
        with open(os.path.join(self.path, key), "rb") as file:
            return file.read()

    def entries(self):
        for run in self.root["runs"]:
            for page in run["pages"]:
                data = self.get("pages/" + page["name"])
                found = record_map(data, b"TLPG", 2)
                entries = found["entries"]
                assert data[4] == 2 or not any(entry.get("droppedGroups") for entry in entries)
                assert found.get("name", page["name"]) == page["name"]
                assert len(entries) == page["count"]
                yield from entries

    def section(self, name, reference, body_offset):
        own = reference["object"] == ""
        start = int(reference["offset"]) + (body_offset if own else 0)
        data = self.get("manifests/" + (name if own else reference["object"]))
        stored = data[start : start + int(reference["length"])]
        raw = stored if reference["length"] == reference["rawLength"] else zlib.decompress(stored, -15)
        assert len(raw) == reference["rawLength"] and xxh64(raw) == int.from_bytes(reference["checksum"], "big")
        return raw

    def checkpoint(self, entry):
        """Returns the files of a checkpoint: path -> bytes."""
        name = entry["manifest"]
        data = self.get("manifests/" + name)
        payload, body = envelope(data, b"TLMF", 3)
        r = Reader(payload)
        head = r.finish(message_pack(r))
        assert head.get("name", name) == name
        assert data[4] == 3 or "unpacked" not in head
        layout = layout_of(Reader(self.section(name, head["layout"], body)), data[4] == 3)
        facts = Reader(self.section(name, head["facts"], body))
        lengths = [facts.list(facts.varint) if s["chunking"] == 3 else None for s in layout["streams"]]
        files = [(facts.text(), facts.unpack("<Q")) for _ in layout["files"]]
        facts.list(facts.text)
        facts.finish(facts.list(lambda: facts.list(lambda: setting(facts))))
        ids = Reader(b"".join(self.section(name, page, body) for page in head["idPages"]))
        chunks = self.resolve(head["segments"])
        streams, dropped = [], dropped_streams(layout, entry.get("droppedGroups", []))
        for number, (stream, cut) in enumerate(zip(layout["streams"], lengths)):
            size = stream["elements"] * DTYPE_BYTES[stream["dtype"]]
            piece = 24576 if stream["chunking"] == 2 else self.chunk_elements * DTYPE_BYTES[stream["dtype"]]
            cut = cut if cut is not None else [min(piece, size - at) for at in range(0, size, piece)]
            named = [ids.take(16) for _ in cut]
            if number in dropped:
                streams.append(None)
                continue
            parts = [self.chunk(chunks, chunk_id) for chunk_id in named]
            assert [len(part) for part in parts] == cut
            streams.append(b"".join(parts))
        ids.finish(None)
        found = zip(files, layout["files"])
        return {p: self.file(f, streams, digest) for (p, digest), f in found if not is_cut(f, dropped)}

    def resolve(self, segments):
        chunks = {}
        for name in segments:
            footer = re.fullmatch(r"(.+):(\d+)\+(\d+)", name)
            if footer:
                pack, start, length = footer[1], int(footer[2]), int(footer[3])
                r = Reader(envelope(self.get("packs/" + pack)[start : start + length], b"TLPF")[0])
                tables = [chunk_table(r, pack)]
            else:
                r = Reader(envelope(self.get("segments/" + name), b"TLSG")[0])
                tables = r.list(lambda: chunk_table(r, r.text()))
            for table in tables:
                for entry in table:
                    if entry["id"] not in chunks or entry["height"] < chunks[entry["id"]]["height"]:
                        chunks[entry["id"]] = entry
            r.finish(None)
        return chunks

    def chunk(self, chunks, chunk_id):
        entry = chunks[chunk_id]
        if "bytes" not in entry:
            pack = self.get("packs/" + entry["pack"])
            record = pack[entry["offset"] : entry["offset"] + entry["length"]]
            assert xxh64(record) & 0xFFFFFFFF == entry["checksum"]
            assert all(chunks[read]["height"] < entry["height"] for read in entry["reads"])
            inputs = [self.chunk(chunks, read) for read in entry["reads"]]
            entry["bytes"] = decode(record, entry["raw"], inputs)
        return entry["bytes"]

    def file(self, file, streams, digest):
        parts, used = [], 0
        for stream, offset, length in file["pieces"]:
            if stream is None:
                stream, offset, used = file["skeleton"], used, used + length
            parts.append(streams[stream][offset : offset + length])
        data = b"".join(parts)
        if file["unpacked"] is not None:
            assert len(data) == file["unpacked"]
            data = rebuild(data, Reader)
        assert len(data) == file["size"] and xxh64(data) == digest
        return data


def main(path, out):
    store = Store(path)
    for entry in store.entries():
        for name, data in store.checkpoint(entry).items():
            target = os.path.join(out, entry["id"], name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(data)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
