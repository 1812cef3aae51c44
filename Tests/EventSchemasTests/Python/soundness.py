"""Looks for documents that show a verdict of the schema checker to be wrong.

    soundness.py pairs SEED COUNT     prints pairs of schemas, a JSON object a line
    soundness.py check SEED TRIES     reads {"label", "writer", "reader", "policy", "verdict"}, a JSON object a line

A verdict "compatible" is wrong where a document of the writer is none of the reader's. jsonschema judges that, which
knows nothing of the checker.
"""
import copy, json, random, sys
from jsonschema import Draft202012Validator, FormatChecker, SchemaError

NAMES = ["a", "b", "c", "n_a", "zz"]
STRINGS = ["", "a", "ab", "abc", "EUR", "x" * 12, "2026-01-15", "0198c0de-0000-7000-8000-000000000001", "n_a"]
NUMBERS = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, -1, -2, -10, 0.5, 1.5, 2.5, 0.25, 100]
SIMPLE = [None, True, False] + NUMBERS + STRINGS


# --- Pairs -----------------------------------------------------------------------------------------------------------

def leaf(rng, refers=False):
    if refers and rng.random() < 0.1: return {"$ref": "#/$defs/M"}
    kind = rng.randrange(7)
    if kind == 0:
        schema = {"type": "string"}
        if rng.random() < 0.4: schema["minLength"] = rng.randrange(4)
        if rng.random() < 0.4: schema["maxLength"] = rng.randrange(1, 6)
        if rng.random() < 0.2: schema["pattern"] = rng.choice(["^a", "^[a-z]+$", "b$"])
        return schema
    if kind in (1, 2):
        schema = {"type": rng.choice(["integer", "number"])}
        for keyword in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]:
            if rng.random() < 0.25: schema[keyword] = rng.choice([0, 1, 2, 3, 5, 0.5, 2.5])
        if rng.random() < 0.2: schema["multipleOf"] = rng.choice([1, 2, 3, 4, 0.5])
        return schema
    if kind == 3: return {"enum": rng.sample([1, 2, "a", "ab", None, True, 1.5, "EUR"], rng.randrange(1, 5))}
    if kind == 4: return {"type": rng.sample(["string", "integer", "number", "null", "boolean"], rng.randrange(1, 4))}
    if kind == 5: return rng.choice([{}, True, {"const": 1}, {"const": "a"}, {"type": "boolean"}])
    return {"type": rng.choice(["string", "null", "object", "array"])}


def schema(rng, depth):
    kind = rng.random()
    if depth <= 0 or kind < 0.25: return leaf(rng, refers=True)
    if kind < 0.65: return an_object(rng, depth)
    if kind < 0.8: return an_array(rng, depth)
    if kind < 0.97:
        keyword = rng.choice(["anyOf", "oneOf", "allOf", "allOf", "anyOf"])
        composed = {keyword: [schema(rng, depth - 1) for _ in range(rng.randrange(1, 4))]}
        if rng.random() < 0.3: composed.update(an_object(rng, depth - 1))
        if rng.random() < 0.15: composed["unevaluatedProperties"] = rng.choice([False, {"type": "string"}])
        return composed
    if kind < 0.985: return {"not": leaf(rng)}
    return {"if": leaf(rng), "then": leaf(rng), "else": leaf(rng)}


def an_object(rng, depth):
    made = {"type": "object"} if rng.random() < 0.9 else {}
    made["properties"] = {name: schema(rng, depth - 1) for name in rng.sample(NAMES[:4], rng.randrange(0, 4))}
    if rng.random() < 0.5: made["required"] = rng.sample(NAMES[:3], rng.randrange(0, 3))
    if rng.random() < 0.4: made["additionalProperties"] = rng.choice([False, False, True, leaf(rng)])
    if rng.random() < 0.1: made["patternProperties"] = {"^n_": leaf(rng)}
    if rng.random() < 0.1: made["propertyNames"] = {"maxLength": rng.randrange(1, 4)}
    if rng.random() < 0.1: made["minProperties"] = rng.randrange(0, 3)
    if rng.random() < 0.1: made["maxProperties"] = rng.randrange(1, 4)
    if rng.random() < 0.1: made["dependentRequired"] = {"a": rng.sample(["b", "c"], 1)}
    if rng.random() < 0.07: made["dependentSchemas"] = {"a": an_object(rng, 1)}
    if rng.random() < 0.07: made["unevaluatedProperties"] = rng.choice([False, leaf(rng)])
    return made


def an_array(rng, depth):
    made = {"type": "array"}
    if rng.random() < 0.7: made["items"] = schema(rng, depth - 1) if rng.random() < 0.9 else False
    if rng.random() < 0.3: made["prefixItems"] = [leaf(rng) for _ in range(rng.randrange(1, 3))]
    if rng.random() < 0.3: made["minItems"] = rng.randrange(0, 3)
    if rng.random() < 0.3: made["maxItems"] = rng.randrange(0, 4)
    if rng.random() < 0.15: made["uniqueItems"] = True
    if rng.random() < 0.15: made["contains"] = leaf(rng)
    if "contains" in made and rng.random() < 0.4: made["minContains"] = rng.randrange(0, 3)
    if "contains" in made and rng.random() < 0.3: made["maxContains"] = rng.randrange(1, 3)
    if rng.random() < 0.07: made["unevaluatedItems"] = False
    return made


def places(node, found):
    """Every subschema that is an object, with its own place to be changed in."""
    if isinstance(node, dict):
        found.append(node)
        for keyword, value in node.items():
            if keyword in ("properties", "patternProperties", "dependentSchemas", "$defs"):
                for name in value: places(value[name], found)
            elif keyword in ("anyOf", "oneOf", "allOf", "prefixItems"):
                for entry in value: places(entry, found)
            elif keyword in ("items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames"):
                places(value, found)
    return found


def mutated(rng, original):
    changed = copy.deepcopy(original)
    for _ in range(rng.randrange(1, 4)):
        spots = places(changed, [])
        if not spots: return schema(rng, 1)
        spot = rng.choice(spots)
        kind = rng.random()
        if kind < 0.25 and spot:
            del spot[rng.choice(list(spot))]
        elif kind < 0.45 and "properties" in spot:
            spot["properties"][rng.choice(NAMES)] = leaf(rng)
        elif kind < 0.55 and spot.get("properties"):
            del spot["properties"][rng.choice(list(spot["properties"]))]
        elif kind < 0.75:
            numbers = [k for k, v in spot.items() if isinstance(v, (int, float)) and not isinstance(v, bool)]
            if numbers: spot[rng.choice(numbers)] += rng.choice([1, -1, 1, 0.5]) if "multipleOf" in numbers else 1
            for count in ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
                          "minContains", "maxContains"):
                if count in spot: spot[count] = max(0, int(spot[count]))
            if spot.get("multipleOf", 1) <= 0: spot["multipleOf"] = 1
        elif kind < 0.85:
            for union in ("anyOf", "oneOf", "enum"):
                if union in spot:
                    if rng.random() < 0.5 and len(spot[union]) > 1: spot[union].pop()
                    else: spot[union].append(leaf(rng) if union != "enum" else rng.choice(SIMPLE))
        else:
            more = leaf(rng)
            if isinstance(more, dict): spot.update(more)
    return changed


# --- Policies --------------------------------------------------------------------------------------------------------

IN_PLACE = ("anyOf", "oneOf", "allOf")


def closed(node, top=True):
    """What a writer of the LENIENT policy writes: no property that its schema doesn't describe."""
    if node is True: node = {}
    if not isinstance(node, dict): return node
    made = {}
    for keyword, value in node.items():
        if keyword in ("properties", "patternProperties"):
            made[keyword] = {name: closed(entry) for name, entry in value.items()}
        elif keyword in ("$defs", "dependentSchemas"):
            made[keyword] = {name: closed(entry, False) for name, entry in value.items()}
        elif keyword in IN_PLACE: made[keyword] = [closed(entry, False) for entry in value]
        elif keyword in ("then", "else"): made[keyword] = closed(value, False)
        elif keyword == "prefixItems": made[keyword] = [closed(entry) for entry in value]
        elif keyword in ("items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems"):
            if value is not True: made[keyword] = closed(value)
        else: made[keyword] = value
    if top and "unevaluatedProperties" not in made: made["unevaluatedProperties"] = False
    return made


def opened(node):
    """What a reader of the LENIENT policy takes: properties that it doesn't know, too."""
    if not isinstance(node, dict): return node
    made = {}
    for keyword, value in node.items():
        if keyword in ("additionalProperties", "unevaluatedProperties") and value is False: continue
        if keyword in ("properties", "patternProperties", "$defs", "dependentSchemas"):
            made[keyword] = {name: opened(entry) for name, entry in value.items()}
        elif keyword in IN_PLACE or keyword == "prefixItems": made[keyword] = [opened(entry) for entry in value]
        elif keyword in ("items", "additionalProperties", "then", "else"): made[keyword] = opened(value)
        else: made[keyword] = value
    return made


def validator(node): return Draft202012Validator(node, format_checker=FormatChecker())


# --- Documents -------------------------------------------------------------------------------------------------------

def anything(rng, depth=2):
    kind = rng.random()
    if depth <= 0 or kind < 0.6: return rng.choice(SIMPLE)
    if kind < 0.8: return [anything(rng, depth - 1) for _ in range(rng.randrange(0, 4))]
    return {rng.choice(NAMES): anything(rng, depth - 1) for _ in range(rng.randrange(0, 4))}


def document(rng, root, node, depth=6):
    """One that the schema may well allow; whether it does is for the validator to say."""
    if not isinstance(node, dict) or depth <= 0 or rng.random() < 0.06: return anything(rng)
    if "$ref" in node and rng.random() < 0.9:
        target = root
        reference = node["$ref"]
        if reference.startswith("#/"):
            try:
                for part in reference[2:].split("/"):
                    target = target[part.replace("~1", "/").replace("~0", "~")]
            except KeyError: return anything(rng)
        elif reference != "#": return anything(rng)
        return document(rng, root, target, depth - 1)
    if "const" in node and rng.random() < 0.9: return node["const"]
    if "enum" in node and rng.random() < 0.9: return rng.choice(node["enum"])
    merged = dict(node)
    for keyword in ("anyOf", "oneOf"):
        if node.get(keyword) and rng.random() < 0.95:
            for branch in [rng.choice(node[keyword])] + ([rng.choice(node[keyword])] if rng.random() < 0.3 else []):
                merge(merged, branch)
    if isinstance(node.get("allOf"), list):
        for branch in node["allOf"]: merge(merged, branch)
    if "if" in node and rng.random() < 0.7:
        for keyword in ("if", "then") if rng.random() < 0.5 else ("else",): merge(merged, node.get(keyword, {}))
    for name in ("anyOf", "oneOf", "allOf", "if"): merged.pop(name, None)
    if any(name in node for name in ("anyOf", "oneOf", "allOf", "if")): return document(rng, root, merged, depth - 1)
    kinds = node.get("type")
    kind = rng.choice(kinds) if isinstance(kinds, list) and kinds else kinds
    if kind is None:
        hints = [k for k, words in {
            "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties",
                       "propertyNames", "dependentRequired", "dependentSchemas", "unevaluatedProperties"),
            "array": ("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems"),
            "string": ("minLength", "maxLength", "pattern", "format"),
            "number": ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"),
        }.items() if any(word in node for word in words)]
        if not hints or rng.random() < 0.3: return anything(rng)
        kind = rng.choice(hints)
    if kind == "object": return an_instance(rng, root, node, depth)
    if kind == "array":
        count = rng.randrange(node.get("minItems", 0), node.get("minItems", 0) + 4)
        if "maxItems" in node: count = min(count, node["maxItems"])
        prefix = node.get("prefixItems", [])
        entries = []
        for index in range(count):
            item = prefix[index] if index < len(prefix) else node.get("items", True)
            if "contains" in node and rng.random() < 0.4: item = node["contains"]
            entries.append(document(rng, root, item, depth - 1))
        return entries
    if kind == "null": return None
    if kind == "boolean": return rng.random() < 0.5
    if kind == "string":
        fitting = [s for s in STRINGS if node.get("minLength", 0) <= len(s) <= node.get("maxLength", 99)]
        return rng.choice(fitting or ["x" * int(node.get("minLength", 0))])
    bounds = [node[k] for k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf") if k in node]
    number = rng.choice(NUMBERS + [b + d for b in bounds for d in (-1, -0.5, 0, 0.5, 1)])
    if "multipleOf" in node and rng.random() < 0.7: number = rng.randrange(-2, 8) * node["multipleOf"]
    return int(number) if kind == "integer" and rng.random() < 0.8 else number


def merge(into, branch):
    if not isinstance(branch, dict): return
    for keyword, value in branch.items():
        if keyword == "properties" and "properties" in into:
            into["properties"] = {**into["properties"], **value}
        elif keyword == "required" and "required" in into:
            into["required"] = into["required"] + value
        else: into[keyword] = value


def an_instance(rng, root, node, depth):
    made = {}
    for name, entry in node.get("properties", {}).items():
        if name in node.get("required", []) or rng.random() < 0.6: made[name] = document(rng, root, entry, depth - 1)
    for name in node.get("required", []):
        if name not in made: made[name] = anything(rng)
    if rng.random() < 0.5:
        for name in rng.sample(NAMES, rng.randrange(1, 3)):
            if name in made: continue
            entry = node.get("additionalProperties", node.get("unevaluatedProperties", True))
            for pattern, value in node.get("patternProperties", {}).items():
                if name.startswith(pattern.removeprefix("^")): entry = value
            made[name] = document(rng, root, entry, depth - 1)
    return made


# --- The two uses ----------------------------------------------------------------------------------------------------

def main():
    rng = random.Random(int(sys.argv[2]))
    if sys.argv[1] == "pairs":
        for _ in range(int(sys.argv[3])):
            old = schema(rng, 3)
            # What is referred to may hold itself, but only further down: in its own place it would have no end.
            if isinstance(old, dict): old["$defs"] = {"M": an_object(rng, 1)}
            print(json.dumps({"old": old, "new": mutated(rng, old)}))
        return
    tries = int(sys.argv[3])
    counts = {"documents": 0, "compatible": 0, "breaking": 0, "witnessed": 0, "wrong": 0}
    for line in sys.stdin:
        claim = json.loads(line)
        lenient = claim["policy"] == "LENIENT"
        try:
            for side in ("writer", "reader"): Draft202012Validator.check_schema(claim[side])
        except SchemaError: continue  # Malformed on purpose: no document can tell.
        writer = validator(closed(claim["writer"]) if lenient else claim["writer"])
        readers = [validator(claim["reader"])] + ([validator(opened(claim["reader"]))] if lenient else [])
        counts[claim["verdict"]] += 1
        witness = None
        sources = [claim["writer"], claim["reader"]]
        for attempt in range(tries):
            source = sources[0] if attempt % 4 else sources[1]
            one = document(rng, source, source)
            try:
                if not writer.is_valid(one): continue
                counts["documents"] += 1
                if not any(reader.is_valid(one) for reader in readers):
                    witness = one
                    break
            except Exception as failure:  # A reference that leads out of the document.
                if "nresolvable" in repr(failure) or "NoSuchResource" in repr(failure) or "PointerTo" in repr(failure): break
                raise
        if witness is None: continue
        if claim["verdict"] == "breaking": counts["witnessed"] += 1
        else:
            counts["wrong"] += 1
            print(json.dumps({**claim, "witness": witness}), file=sys.stderr)
    print(json.dumps(counts))
    sys.exit(1 if counts["wrong"] else 0)


main()
