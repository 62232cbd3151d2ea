"""Checks exports and receipts by the published format alone, sharing no code with the service. verify.py FIELDS KEYS FILE [CHECKPOINT]:
the answer of `stagegate audit fields`, a file of key lines, an export or a receipt, a checkpoint that was kept."""
import base64, hashlib, json, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
node = lambda left, right: sha(b"\1", left, right)
compact = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
parse = lambda text: json.loads(text, parse_float=str)  # there are no fractions outside of values
same = lambda one, other: compact(one) == compact(other)  # 1 is not True
def insist(holds, what):
    if not holds: raise ValueError(what)
decode = lambda text, reader, writer: insist(writer(reader(text)) == text, "encoding") or reader(text)  # each has one form
unhex = lambda text: decode(text, bytes.fromhex, bytes.hex)
unbase64 = lambda text: decode(text, lambda text: base64.b64decode(text, validate=True), lambda data: base64.b64encode(data).decode())
unbase64url = lambda text: decode(text, lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="))
def read_keys(lines):
    split = [(name, key_id, unbase64(key)) for name, key_id, key in (line.split("+", 2) for line in lines.split())]
    insist(all(key[0] == 1 and sha(name.encode(), b"\n", key).hex()[:8] == key_id for name, key_id, key in split), "not a key")
    return {name + "+" + key_id: Ed25519PublicKey.from_public_bytes(key[1:]) for name, key_id, key in split}
def checkpoint(note, keys):
    text, _, signatures = note.rpartition("\n\n")
    (origin, size, root), signed = text.split("\n"), 0
    insist(signatures.endswith("\n") and str(int(size)) == size, "not a checkpoint")
    for dash, name, value in (line.split(" ") for line in signatures[:-1].split("\n")):
        value, key = unbase64(value), keys.get(f"{name}+{unbase64(value)[:4].hex()}")
        if key and dash == "\u2014" and name == origin:
            signed += key.verify(value[4:], (text + "\n").encode()) is None
    insist(signed, "the checkpoint is not signed by a known key")
    return origin, int(size), unbase64(root)
def included(proof, keys, kept, member, subject, hashes):
    leaf, made = proof["leaf"], checkpoint(proof["checkpoint"], keys)
    insist(list(proof) == ["leaf", "index", "size", "hashes", "checkpoint"] and list(leaf) == ["head", "seq", member], "inclusion")
    insist(kept in (None, made), "the checkpoint is not the kept one")
    insist(leaf[member] == subject and 0 < leaf["seq"] < len(hashes) and hashes[leaf["seq"]] == leaf["head"], "the leaf is another head")
    up, place, last = sha(b"\0", compact(leaf).encode()), proof["index"], proof["size"] - 1
    insist(0 <= place <= last == made[1] - 1, "index or size")
    for other in map(unhex, proof["hashes"]):  # RFC 9162, section 2.1.3.2
        insist(last, "inclusion: too long")
        if place % 2 or place == last:
            up = node(other, up)
            while not place % 2 and place: place, last = place >> 1, last >> 1
        else: up = node(up, other)
        place, last = place >> 1, last >> 1
    insist(last == 0 and up == made[2], "the leaf is not in the log")
def leaf_of(field):
    if list(field) in (["path", "leaf"], ["path", "leaf", "erased"]) and field.get("erased", True) is True: return unhex(field["leaf"])
    insist(list(field) in (["path", "salt"], ["path", "salt", "value"]), "a field that is neither shown nor hidden")
    path = field["path"].encode()
    return sha(b"\0", unhex(field["salt"]), bytes([len(path)]), path, field.get("value", "").encode())
def check_fields(seq, fields, kinds, lost):
    values = {field["path"]: field.get("value") for field in fields}
    insist(list(values) == kinds[parse(values["type"])] and len(values) == len(fields), "not the fields of its type")
    lost |= {seq for field in fields if "erased" in field}
    if values["type"] == '"task.personal_data_erased"':  # a buyer is not told which entries they were
        lost -= set(range(seq)) if values["data.entries"] is None else {gone for gone in parse(values["data.entries"]) if gone < seq}
    level = [leaf_of(field) for field in fields]
    while len(level) > 1: level = [node(*level[at:at + 2]) if at + 1 < len(level) else level[at] for at in range(0, len(level), 2)]
    return level[0].hex()
def trail(lines, kinds, keys, kept):
    header, origin, lost, member = lines[0], lines[0]["origin"], set(), "task" if "task" in lines[0]["origin"] else "partner"
    members, separator = (["buyer", "partner", "task"], "audit") if member == "task" else (["partner"], "partner")
    insist(list(header) == ["format", "origin", "viewer"] and same(header["format"], 1) and list(origin) == members, "header")
    hashes = [sha(f"stagegate/{separator}/genesis/v1\0{compact(origin)}".encode()).hex()]
    for seq, line in enumerate(lines[1:-1], 1):
        insist(list(line)[:3] == ["seq", "hash", "entry"] and list(line)[3:] in ([], ["fields"]) and same(line["seq"], seq), f"entry {seq}: missing")
        root = check_fields(seq, line["fields"], kinds[member], lost) if "fields" in line else parse(line["entry"])["root"]
        entry = compact(dict(sorted({"prev": hashes[-1], "root": root, "seq": seq, member: origin[member], "v": 1}.items())))
        hashes.append(sha(f"stagegate/{separator}/v1\0{entry}".encode()).hex())
        insist((line["entry"], line["hash"]) == (entry, hashes[-1]), f"entry {seq}: not what was recorded")
    insist(not lost and len(hashes) > 1, f"entries {lost} lost fields and no entry says so, or there are none")
    insist(same(lines[-1]["head"], {"seq": len(hashes) - 1, "hash": hashes[-1]}), "the head is not that of the last entry")
    insist(lines[-1]["inclusion"] or not kept, "not in the kept checkpoint")
    if lines[-1]["inclusion"]: included(lines[-1]["inclusion"], keys, kept, member, origin[member], hashes)
    return len(hashes) - 1
def export(raw, kinds, keys, kept):
    lines = [parse(line) for line in raw.decode().split("\n")[:-1]]
    insist("".join(compact(line) + "\n" for line in lines).encode() == raw, "not written as exports are")
    ends, texts = [-1] + [at for at, line in enumerate(lines) if list(line) == ["head", "inclusion", "sha256"]], raw.split(b"\n")
    insist_on_digest = lambda first, last: insist(sha(b"\n".join(texts[first:last + 1]).rpartition(b',"sha256":')[0]).hex() == lines[last]["sha256"], f"digest of line {last + 1}")
    many, counts, ends[0] = "export" in lines[0], [], ("export" in lines[0]) - 1
    for before, end in zip(ends, ends[1:]):
        counts.append(trail(lines[before + 1:end + 1], kinds, keys, kept) + (insist_on_digest(before + 1, end) or 0))
    totals = {"trails": len(counts), "entries": sum(counts), "sha256": lines[-1]["sha256"]}
    insist(same(lines[-1], totals) and len(lines) == ends[-1] + 2 if many else len(lines) == ends[-1] + 1 and len(counts) == 1, "the end")
    insist_on_digest(0, len(lines) - 1)
    return f"{len(counts)} trails, {sum(counts)} entries"
def receipt(text, keys):
    header, said, signature = map(unbase64url, text.split("."))
    key_id = parse(header)["kid"]
    insist(same(parse(header), {"alg": "EdDSA", "kid": key_id, "typ": "stagegate-receipt+jwt"}) and key_id in keys, "header")
    keys[key_id].verify(signature, text.rpartition(".")[0].encode())
    return insist(parse(said)["iss"] == key_id.rpartition("+")[0], "issuer") or "receipt: " + said.decode()
def main(fields, keys, file, kept=None):
    read = lambda name: open(name, "rb").read()
    keys, raw = read_keys(read(keys).decode()), read(file)
    kept = kept and checkpoint(read(kept).decode(), keys)
    return export(raw, parse(read(fields)), keys, kept) if raw[:1] == b"{" else receipt(raw.decode().strip("\n"), keys)
try: print("verified:", main(*sys.argv[1:]))
except Exception as flaw: sys.exit(f"NOT verified: {type(flaw).__name__}: {flaw}")
