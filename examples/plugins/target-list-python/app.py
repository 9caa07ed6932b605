"""The target list of ConTest in Python: the job names its targets, and they are locked, all or none.

`{"Targets": [{"ID": "bench-1"}, {"ID": "bench-2", "FQDN": "bench-2.example"}]}`, as `../target-list` in Rust. The plugin
needs the grant `locker`.
"""

import ipaddress
import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import locker, log
from wit_world.imports.types import Call, Failure, Problem, Target


class Targets(exports.Targets):
    """What the component exports; the name is that of the interface."""

    def validate_acquire_parameters(self, parameters: str) -> None:
        _, problems = read(parameters)
        if problems:
            raise Err(problems)

    def validate_release_parameters(self, parameters: str) -> None:
        try:
            given = json.loads(parameters)
        except ValueError as error:
            raise Err([Problem("", f"not JSON: {error}")]) from error
        if given is not None and not isinstance(given, dict):
            raise Err([Problem("", "a JSON object or null is expected")])

    def acquire(self, call: Call, parameters: str) -> list[Target]:
        targets, problems = read(parameters)
        if problems:
            raise Err(Failure("bad-parameters", "; ".join(f"{p.path}: {p.message}" for p in problems), False, []))
        try:
            locker.lock([target.id for target in targets], call.lock_duration_ms)
        except Err as error:
            # Of the errors of a locker, these two may be gone a little later.
            retryable = error.value.code in ("held", "unavailable")
            raise Err(Failure(error.value.code, error.value.message, retryable, [])) from error
        log.log(log.Level.INFO, f"job {call.job} has {len(targets)} targets")
        return targets

    def release(self, call: Call, parameters: str, targets: list[Target]) -> None:
        log.log(log.Level.INFO, f"job {call.job} is done with {len(targets)} targets")


TEXTS = ("ID", "FQDN", "PrimaryIPv4", "PrimaryIPv6")


def folded(given: object, keys: tuple[str, ...]) -> object:
    """An object with its keys as they are known here: ConTest finds them whatever their case is."""
    if not isinstance(given, dict):
        return given
    known = {key.casefold(): key for key in keys}
    return {known.get(key.casefold(), key): value for key, value in given.items()}


def read(parameters: str) -> tuple[list[Target], list[Problem]]:
    """The targets that the parameters name, and everything that is wrong with them."""
    try:
        given = json.loads(parameters)
    except ValueError as error:
        return [], [Problem("", f"not JSON: {error}")]
    given = folded({} if given is None else given, ("Targets",))
    if not isinstance(given, dict):
        return [], [Problem("", "a JSON object is expected")]
    listed = given.get("Targets")
    if not isinstance(listed, list | None):
        return [], [Problem("/Targets", "a list is expected")]
    targets: list[Target] = []
    problems: list[Problem] = []
    for index, entry in enumerate(listed or []):
        place = f"/Targets/{index}"
        entry = folded(entry, (*TEXTS, "TMS"))
        if not isinstance(entry, dict):
            problems.append(Problem(place, "an object is expected"))
            continue
        text = {key: text_of(entry, place, key, problems) for key in TEXTS}
        if not text["ID"].strip():
            problems.append(Problem(f"{place}/ID", "the ID of a target must not be blank"))
        for key in ("PrimaryIPv4", "PrimaryIPv6"):
            if text[key] and not is_address(text[key]):
                problems.append(Problem(f"{place}/{key}", f"{text[key]!r} is no IP address"))
        state = json.dumps(entry["TMS"], separators=(",", ":")) if entry.get("TMS") is not None else None
        targets.append(
            Target(text["ID"], text["FQDN"] or None, text["PrimaryIPv4"] or None, text["PrimaryIPv6"] or None, state, [])
        )
    return targets, problems


def text_of(entry: dict, place: str, key: str, problems: list[Problem]) -> str:
    """A member that is a text; absent and null stand for an empty one."""
    value = entry.get(key) or ""
    if isinstance(value, str):
        return value
    problems.append(Problem(f"{place}/{key}", "a text is expected"))
    return ""


def is_address(text: str) -> bool:
    """Whether the text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
