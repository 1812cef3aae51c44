"""CloudEvents as Atrium sends them, checked against the published schemas.

Nothing in here knows what the events are used for: see ledger.py for that.
"""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from jsonschema import Draft202012Validator, FormatChecker

REQUIRED = ("id", "source", "specversion", "type", "tenantid")
# What is read as text where it is there.
TEXTS = ("factid", "alsoas", "dataschema", "deprecationsunset", "deprecationmigration")


class Unreadable(Exception):
    """The message can't be dealt with as it is; somebody has to look at it."""


@dataclass(frozen=True)
class Event:
    attributes: dict
    data: Any

    @property
    def type(self):
        return self.attributes["type"]

    @property
    def tenant(self):
        return self.attributes["tenantid"]

    @property
    def family(self):
        """The type without its version."""
        return self.type.rpartition(".v")[0] or self.type

    @property
    def version(self):
        text = self.type.rpartition(".v")[2]
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0

    @property
    def fact(self):
        """What the event is known by: the same for all versions that one fact is told in."""
        return self.attributes.get("factid") or self.attributes["id"]

    @property
    def also_as(self):
        return [name.strip() for name in self.attributes.get("alsoas", "").split(",") if name.strip()]

    @property
    def deprecation(self):
        """What to tell whoever reads a version that will go, or None."""
        if self.attributes.get("deprecated") not in ("true", True):
            return None
        until = self.attributes.get("deprecationsunset", "a day not named")
        return f"{self.type} is published until {until}; see {self.attributes.get('deprecationmigration', 'its schema')}"


def read(headers, value):
    """An event of the Kafka binding in either mode; raises Unreadable."""
    named = {}
    for name, content in headers or []:
        name = name.lower()
        if not (name.startswith("ce_") or name == "content-type"):
            continue
        if name in named:
            raise Unreadable(f"the header {name} is there twice")
        try:
            named[name] = (content or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise Unreadable(f"the header {name} is not UTF-8") from None
    content_type = named.pop("content-type", "application/json")
    media = content_type.split(";")[0].strip().lower()
    if media.startswith("application/cloudevents"):
        if media != "application/cloudevents+json":
            raise Unreadable(f"{media} is no format that is understood here")
        event = structured(value)
    else:
        if media != "application/json" and not media.endswith("+json"):
            raise Unreadable(f"the data is {media}, not JSON")
        event = Event({name[3:]: text for name, text in named.items()}, parsed(value))
    if not all(isinstance(content, (str, bool, int)) for content in event.attributes.values()):
        raise Unreadable("an attribute is neither text, number nor boolean")
    for name in TEXTS:
        if not isinstance(event.attributes.get(name, ""), str):
            raise Unreadable(f"{name} is no text")
    for name in REQUIRED:
        text = event.attributes.get(name)
        if not isinstance(text, str) or not text:
            raise Unreadable(f"not an event of Atrium: {name} is missing")
    if event.attributes["specversion"] != "1.0":
        raise Unreadable("specversion is not 1.0")
    return event


def structured(value):
    whole = parsed(value)
    if not isinstance(whole, dict):
        raise Unreadable("a structured event is a JSON object")
    attributes = {name: content for name, content in whole.items() if name not in ("data", "data_base64")}
    if "data_base64" in whole:
        if "data" in whole:
            raise Unreadable("both data and data_base64 are there")
        try:
            return Event(attributes, parsed(base64.b64decode(whole["data_base64"], validate=True)))
        except (ValueError, TypeError):
            raise Unreadable("data_base64 is not Base64") from None
    return Event(attributes, whole.get("data"))


def parsed(value):
    def unique(pairs):
        names = dict(pairs)
        if len(names) != len(pairs):
            raise ValueError("a name is there twice")
        return names

    def refused(text):
        raise ValueError(f"{text} is not JSON")

    if not value:
        raise Unreadable("the event has no data")
    try:
        result = json.loads(value, object_pairs_hook=unique, parse_constant=refused)
        # Half of a surrogate pair is JSON, and no text that could be kept.
        json.dumps(result, ensure_ascii=False).encode()
        return result
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the data is not JSON: {error}") from None


@dataclass
class Contracts:
    """The published schemas, by their address and by event type."""

    by_address: dict = field(default_factory=dict)
    by_type: dict = field(default_factory=dict)

    @classmethod
    def load(cls, folder):
        contracts = cls()
        for path in sorted(Path(folder).glob("*/*.json")):
            schema = json.loads(path.read_text(encoding="utf-8"))
            validator = Draft202012Validator(schema, format_checker=FormatChecker())
            contracts.by_address[schema["$id"]] = validator
            contracts.by_type[f"{path.parent.name}.{path.stem}"] = validator
        if not contracts.by_type:
            raise FileNotFoundError(f"there are no event schemas in {folder}")
        return contracts

    def check(self, event):
        """Holds the event against the schema that it names, and its data's tenant against its envelope's."""
        validator = self.by_type.get(event.type)
        if validator is None:
            raise Unreadable(f"there is no schema of {event.type} here")
        address: Optional[str] = event.attributes.get("dataschema")
        if address and self.by_address.get(address) is not validator:
            raise Unreadable(f"dataschema is not the address of {event.type}")
        error = next(validator.iter_errors(event.data), None)
        if error is not None:
            # The place and the rule, never the value: this ends up in logs.
            raise Unreadable(f"the data breaks its schema at {error.json_path}: {error.validator}")
        if event.data["tenantId"].lower() != event.tenant.lower():
            raise Unreadable("the data names another tenant than the envelope")
