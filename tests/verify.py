"""Checks exports and receipts by the published format alone, sharing no code with the service. verify.py FIELDS KEYS FILE [CHECKPOINT]:
the answer of `stagegate audit fields`, a file of key lines, what to check, a checkpoint that was kept. Exit code 0: verified, a key signed for it all;
3: consistent, but signed by nobody or not to the end; 1: not verified."""
import base64, datetime, hashlib, json, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
node = lambda left, right: sha(b"\1", left, right)
compact = lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)
same = lambda one, other: compact(one) == compact(other)  # 1 is not True
RECEIPT = "actor decision head iss party recorded_at revision revision_digest round seq stage task type".split()
escape = lambda text: "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
def insist(holds, what):
    if not holds: raise ValueError(what)
def once(members):  # no name twice
    return dict(members) if len(dict(members)) == len(members) else insist(False, "a name twice")
parse = lambda text: json.loads(text, parse_float=str, object_pairs_hook=once)  # there are no fractions outside of values
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
    (origin, size, root), signed = text.split("\n"), False
    insist(signatures.endswith("\n") and str(int(size)) == size, "not a checkpoint")
    for dash, name, value in (line.split(" ") for line in signatures[:-1].split("\n")):
        value, key = unbase64(value), keys.get(f"{name}+{unbase64(value)[:4].hex()}")
        insist(dash == "\u2014" and (not key or name == origin), "not a signature of this log")
        if key: signed = key.verify(value[4:], (text + "\n").encode()) is None
    return (origin, int(size), unbase64(root)), signed
def included(proof, keys, kept, member, subject, hashes):
    leaf, (made, signed) = proof["leaf"], checkpoint(proof["checkpoint"], keys)
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
    return leaf["seq"] if signed else 0
def leaf_of(field):
    if list(field) in (["path", "leaf"], ["path", "leaf", "erased"]) and field.get("erased", True) is True: return unhex(field["leaf"])
    insist(list(field) in (["path", "salt"], ["path", "salt", "value"]), "a field that is neither shown nor hidden")
    path = field["path"].encode()
    return sha(b"\0", unhex(field["salt"]), bytes([len(path)]), path, field.get("value", "").encode())
def check_sight(kind, fields, values, viewer):  # None: feedback, which shows by its own value that it is shared
    own, asked = parse(values["party"] or "null") == viewer, parse(values.get("data.to") or "null") == viewer
    returned = values.get("data.resolution") == '"return"'
    sees = lambda of: {"always": True, "never": False, "own": own, "asked": own or asked, "answered": own or asked and returned, "involved": own or asked or values.get("data.share_with_buyer") == "true", "shared": own or None}[of.get(viewer, "always")]
    insist(sees(kind), f"the {viewer} may not see it")
    for field in fields:
        of, shown, marked = kind["fields"][field["path"]], "salt" in field, "erased" in field
        may = sees(of)
        if may is None and shown: may = parse(field.get("value", "{}")).get("share_with_buyer", False) is True
        insist(of["erasable"] or not marked, f"{field['path']} is marked as erased, which it cannot be")
        insist(may or not (shown or marked), f"{field['path']} is shown, which the {viewer} may not see")
        insist(shown or marked or not may, f"{field['path']} is hidden from the {viewer}, who may see it")
def check_fields(seq, fields, kinds, viewer, state):
    values = {field["path"]: field.get("value") for field in fields}
    kind = kinds[parse(values["type"])]
    insist(list(values) == list(kind["fields"]) and len(values) == len(fields), "not the fields of its type")
    level = [leaf_of(field) for field in fields]
    check_sight(kind, fields, values, viewer)
    insist(int(values.get("cause_seq", seq)) >= state["hidden"], f"{state['hidden']} is hidden, which is not the first of its transition")
    state["ending"] |= kind.get("ending") == "begins"
    state["lost"] |= {seq for field in fields if "erased" in field}
    if values["type"] == '"task.personal_data_erased"':  # a buyer is not told which entries they were
        state["lost"] -= set(range(seq)) if values["data.entries"] is None else {gone for gone in parse(values["data.entries"]) if gone < seq}
    if values["type"] == '"partner.erasure_completed"': state["lost"] -= {gone for gone in parse(values["data.entries"] or "[]") if gone < seq}
    while len(level) > 1: level = [node(*level[at:at + 2]) if at + 1 < len(level) else level[at] for at in range(0, len(level), 2)]
    return level[0].hex()
def check_people(seq, fields, state):  # by the tags of the actors: who submitted, who approved
    values = {field["path"]: parse(field["value"]) for field in fields if field.get("value")}
    if values["type"] == "task.work_submitted": state["makers"][values.get("data.revision")] = values.get("actor_tag")
    if values["type"] == "task.stage_approved":
        people, revision = {*values.get("data.voters", []), values.get("actor_tag")} - {None}, values.get("data.revision")
        state["approved"].append(f"{seq} {values.get('stage')} {values.get('round')} {revision} {len(people)} {int(state['makers'].get(revision) in people)} {int(values.get('data.bound', False))}")
def trail(lines, kinds, keys, kept):
    header, origin, member = lines[0], lines[0]["origin"], "task" if "task" in lines[0]["origin"] else "partner"
    viewer, state = header["viewer"], {"hidden": 0, "ending": False, "lost": set(), "makers": {}, "approved": []}
    members, separator = (["buyer", "partner", "task"], "audit") if member == "task" else (["partner"], "partner")
    insist(list(header) == ["format", "origin", "viewer"] and same(header["format"], 1) and list(origin) == members and viewer in ("partner", "buyer", "platform"), "header")
    hashes = [sha(f"stagegate/{separator}/genesis/v1\0{compact(origin)}".encode()).hex()]
    for seq, line in enumerate(lines[1:-1], 1):
        insist(list(line)[:3] == ["seq", "hash", "entry"] and list(line)[3:] in ([], ["fields"]) and same(line["seq"], seq), f"entry {seq}: missing")
        if "fields" in line:
            root = check_fields(seq, line["fields"], kinds[member], viewer, state)
            check_people(seq, line["fields"], state)
        else:
            can_be = [kind for kind in kinds[member].values() if viewer != "platform" and kind[viewer] != "always"]
            insist(any(state["ending"] or kind.get("ending") != "follows" for kind in can_be), f"entry {seq}: hidden from the {viewer}, who may see all that can stand here")
            root, state["hidden"] = parse(line["entry"])["root"], seq
        entry = compact(dict(sorted({"prev": hashes[-1], "root": root, "seq": seq, member: origin[member], "v": 1}.items())))
        hashes.append(sha(f"stagegate/{separator}/v1\0{entry}".encode()).hex())
        insist((line["entry"], line["hash"]) == (entry, hashes[-1]), f"entry {seq}: not what was recorded")
    insist(not state["lost"] and len(hashes) > 1, f"entries {state['lost']} lost fields and no entry says so, or there are none")
    insist(same(lines[-1]["head"], {"seq": len(hashes) - 1, "hash": hashes[-1]}), "the head is not that of the last entry")
    inclusion = lines[-1]["inclusion"]
    insist(inclusion is not None or not kept, "not in the kept checkpoint")
    return len(hashes) - 1, included(inclusion, keys, kept, member, origin[member], hashes) if inclusion is not None else 0, state["approved"]
def export(raw, kinds, keys, kept):
    lines = [parse(line) for line in raw.decode().split("\n")[:-1]]
    insist("".join(compact(line) + "\n" for line in lines).encode() == raw, "not written as exports are")
    ends, texts = [-1] + [at for at, line in enumerate(lines) if list(line) == ["head", "inclusion", "sha256"]], raw.split(b"\n")
    insist_on_digest = lambda first, last: insist(sha(b"\n".join(texts[first:last + 1]).rpartition(b',"sha256":')[0]).hex() == lines[last]["sha256"], f"digest of line {last + 1}")
    many, trails, ends[0] = "export" in lines[0], [], ("export" in lines[0]) - 1
    wanted = lines[0].get("export", {"partner": None, "workflow": None, "from": None, "until": None})
    insist(list(wanted) == ["partner", "workflow", "from", "until"] and (not many or list(lines[0]) == ["export"]), "what was asked for")
    for time in (wanted["from"], wanted["until"]): insist(time is None or time[-1] == "Z" and datetime.datetime.fromisoformat(time), "a time")
    for before, end in zip(ends, ends[1:]):
        insist_on_digest(before + 1, end)
        trails.append(trail(lines[before + 1:end + 1], kinds, keys, kept))
    origins = [lines[before + 1]["origin"] for before in ends[:-1]]
    subjects = [origin.get("task", origin["partner"]) for origin in origins]
    insist(subjects == sorted(set(subjects)), "trails in another order, or one twice")
    insist(all(wanted["partner"] in (None, origin["partner"]) for origin in origins), "a trail of another partner")
    insist(len({lines[end]["inclusion"]["checkpoint"] for end in ends[1:] if lines[end]["inclusion"]}) < 2, "two checkpoints")
    totals = {"trails": len(trails), "entries": sum(last for last, *_ in trails), "sha256": lines[-1]["sha256"]}
    insist(same(lines[-1], totals) and len(lines) == ends[-1] + 2 if many else len(lines) == ends[-1] + 1 and len(trails) == 1, "the end")
    insist_on_digest(0, len(lines) - 1)
    entries, signed = sum(last for last, *_ in trails), sum(last == up_to for last, up_to, _ in trails)
    people = "".join(f"; {subject} approved (entry, stage, round, revision, people, of them submitters, bound): {', '.join(approved)}" for subject, (*_, approved) in zip(subjects, trails) if approved)
    return 0 if trails and signed == len(trails) else 3, f"{len(trails)} trails, {entries} entries; {signed} trails signed for to the end{people}"
def receipt(text, keys):
    header, said, signature = map(unbase64url, text.split("."))
    key_id = parse(header)["kid"]
    insist(header.decode() == compact({"alg": "EdDSA", "kid": key_id, "typ": "stagegate-receipt+jwt"}) and len(signature) == 64, "header")
    if key_id in keys: keys[key_id].verify(signature, text.rpartition(".")[0].encode())
    of = parse(said)
    insist(list(of) == RECEIPT and compact(of).encode() == said and len(unhex(of["head"])) == 32, "not written as receipts are")
    insist(of["party"] in ("partner", "buyer", "platform", "service") and of["decision"] in (None, "approved", "rejected", "escalated", "returned", "redirected"), "words")
    insist(type(of["seq"]) is type(of["revision"]) is int and of["seq"] > 0 <= of["revision"], "numbers")
    insist(bool(of["revision"]) == (of["revision_digest"] is not None), "a revision has a digest")
    insist(of["iss"] and of["iss"] == key_id.rpartition("+")[0], "issuer")
    return 0 if key_id in keys else 3, "receipt: " + said.decode()
def verify(kinds, keys, raw, kept=None):
    """The exit code and what there is to say."""
    try:
        kept = kept and checkpoint(kept, keys)[0]
        code, said = export(raw, kinds, keys, kept) if raw[:1] == b"{" else receipt(raw.decode().removesuffix("\n"), keys)
        return code, ("consistent, but signed by nobody or not to the end: " if code else "verified: ") + escape(said)
    except Exception as flaw: return 1, escape(f"NOT verified: {type(flaw).__name__}: {flaw}")
if __name__ == "__main__":
    table, keys, raw, *kept = [open(name, "rb").read() for name in sys.argv[1:]]
    code, said = verify(parse(table), read_keys(keys.decode()), raw, kept[0].decode() if kept else None)
    sys.exit(print(said) or code)
