# SPDX-License-Identifier: Apache-2.0
"""Every word of a report can be explained, a typo gets the nearest words, and nothing of it needs Vulkan."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from program import Run

from vkzircon_cli.bindings.faults import list_faults, list_personas
from vkzircon_cli.checks import REGISTRY, in_order
from vkzircon_cli.checks.registry import GROUPS, TEXTS
from vkzircon_cli.emulation import installation
from vkzircon_cli.errors import Usage
from vkzircon_cli.explain import Explanation, Group, entries, explain, word_groups, words
from vkzircon_cli.model.glossary import read_glossary
from vkzircon_cli.model.spec import RIGHT_BITS, VK_RESULTS, ZX_STATUS
from vkzircon_cli.render.explanation import render_explanations, render_words
from vkzircon_cli.render.style import page_for
from vkzircon_cli.report.conditions import FACTS, parse_condition

NO_VULKAN = {"VKZIRCON_LIBVULKAN": "/nonexistent/libvulkan.so", "VKZIRCON_LIBZIRCON": "/nonexistent/libzircon.so"}
# The numbers of the rules that bear on the extension: its own, and those that an export or import must keep.
OWN = ("04771", "04772", "04773", "04774", "04775", "04776", "04749", "07902", "07903", "04751", "04752")
NEAR = ("06657", "07897", "07899", "00639", "00643", "00644", "03333", "01713", "01714", "04101", "09860", "00920")
FAR = ("00990", "01443", "02726", "02985", "02728", "02989", "02964", "02965")
# vk.xml: each structure's and command's members, of which every one has its implicit rule.
IMPLICIT = {
    "VkImportMemoryZirconHandleInfoFUCHSIA": ("sType-sType", "handleType-parameter"),
    "VkMemoryZirconHandlePropertiesFUCHSIA": ("sType-sType", "pNext-pNext"),
    "VkMemoryGetZirconHandleInfoFUCHSIA": ("sType-sType", "pNext-pNext", "memory-parameter", "handleType-parameter"),
    "vkGetMemoryZirconHandleFUCHSIA": ("device-parameter", "pGetZirconHandleInfo-parameter", "pZirconHandle-parameter"),
    "vkGetMemoryZirconHandlePropertiesFUCHSIA": (
        "device-parameter",
        "handleType-parameter",
        "pMemoryZirconHandleProperties-parameter",
    ),
}
STRING, STRINGS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
EXPLANATION = {
    "type": "object",
    "properties": {
        "word": STRING,
        "group": {"enum": list(Group)},
        "meaning": {"type": "string", "minLength": 1},
        "causes": STRINGS,
        "advice": {"type": "string", "minLength": 1},
        "also": STRINGS,
        "rule": STRING,
    },
    "required": ["word", "group", "meaning", "causes", "advice", "also", "rule"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {
        "schema_version": {"const": "1.0"},
        "asked": {"type": ["string", "null"]},
        "explanations": {"type": "array", "items": EXPLANATION},
        "groups": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"group": {"enum": list(Group)}, "about": STRING, "words": STRINGS},
                "required": ["group", "about", "words"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["schema_version", "asked", "explanations", "groups"],
    "additionalProperties": False,
}


def _all() -> list[Explanation]:
    return [explanation for group in word_groups() for explanation in group.explanations]


def _word(asked: str) -> str:
    """Return the one word that *asked* stands for."""
    (found,) = explain(asked)
    return found.word


def test_every_check_is_explained_with_its_own_words() -> None:
    """The registry is what is explained, so that the two cannot differ; a VUID that a check names can be looked up."""
    for check in REGISTRY.values():
        found, *_ = explain(check.id)  # extension.revision is a fact too
        told = (found.group, found.meaning, found.causes, found.advice, found.rule)
        assert told == (Group.CHECK, *check.text, check.rule)
        for vuid in re.findall(r"VUID-[A-Za-z0-9-]+", check.rule):
            assert _word(vuid) == vuid


@pytest.mark.parametrize(("prefix", "error", "names"), [("VK_", "ERROR_", VK_RESULTS), ("ZX_", "ERR_", ZX_STATUS)])
def test_every_code_is_explained_however_it_is_written(prefix: str, error: str, names: Mapping[int, str]) -> None:
    """With VK_ERROR_ or ZX_ERR_, without VK_ or ZX_, without both, in lower case."""
    for name in names.values():
        short = name.removeprefix(prefix)
        for asked in (name, name.lower(), short, short.removeprefix(error)):
            # "timeout" is an outcome of a check, too.
            assert [found.word for found in explain(asked) if found.group is not Group.OUTCOME] == [name]


def test_a_number_is_every_code_that_it_may_be() -> None:
    """Vulkan and the kernel use the same numbers: -4 is a lost device and too little memory."""
    for number in {*VK_RESULTS, *ZX_STATUS}:
        meant = {names[number] for names in (VK_RESULTS, ZX_STATUS) if number in names}
        assert {found.word for found in explain(str(number))} == meant


def test_every_numbered_rule_is_explained_by_its_number() -> None:
    """The number alone, without its zeros, whole, without VUID- and in lower case."""
    for number in (*OWN, *NEAR, *FAR):
        word = _word(number)
        assert re.fullmatch(rf"VUID-[A-Za-z]+-[A-Za-z]+-{number}", word)
        for asked in (number.lstrip("0"), word, word.removeprefix("VUID-"), word.lower()):
            assert _word(asked) == word


def test_the_implicit_rules_are_explained() -> None:
    """One for each member and parameter that can be wrong."""
    wanted = {f"VUID-{of}-{name}" for of, names in IMPLICIT.items() for name in names}
    have = {each.word for each in _all() if each.group is Group.VUID and not each.also}
    assert have == wanted
    assert all(_word(word.upper()) == word for word in wanted)


def test_there_are_no_other_rules() -> None:
    """The lists above are the whole of it."""
    numbered = {each.also[0] for each in _all() if each.group is Group.VUID and each.also}
    assert numbered == {*OWN, *NEAR, *FAR}


def test_a_rule_with_two_owners_is_found_under_both() -> None:
    """vkBindBufferMemory and VkBindBufferMemoryInfo share their rules' numbers; the layer of 2023 has an older one."""
    assert _word("VUID-VkBindBufferMemoryInfo-memory-02985") == "VUID-vkBindBufferMemory-memory-02985"
    assert _word("VUID-VkExportMemoryAllocateInfo-handleTypes-00656").endswith("-09860")


def test_every_explanation_is_whole() -> None:
    """Every field is a sentence on one line in ASCII; no word stands twice, and no short form is two of a kind."""
    explanations = _all()
    assert max(Counter((each.group, each.word) for each in explanations).values()) == 1
    for group in word_groups():
        short = Counter(also for each in group.explanations for also in each.also)
        assert max(short.values(), default=1) == 1
    for each in explanations:
        for field in (each.meaning, each.advice, *each.causes):
            assert field.isascii()
            assert field.isprintable()
            assert field == " ".join(field.split())
            assert field.endswith(".")
            assert len(field) < 320, each.word


def test_no_text_is_left_over() -> None:
    """A text of a word that is gone would never be seen."""
    folder = Path(entries.__file__).parent
    assert set(read_glossary(TEXTS)) == set(REGISTRY)
    assert set(read_glossary(folder / "results.txt")) == set(VK_RESULTS.values())
    assert set(read_glossary(folder / "statuses.txt")) == set(ZX_STATUS.values())
    assert tuple(read_glossary(folder / "groups.txt")) == GROUPS
    assert tuple(read_glossary(folder / "facts.txt")) == tuple(FACTS)
    assert tuple(read_glossary(folder / "rights.txt")) == RIGHT_BITS


def test_a_group_lists_its_checks(vkzircon: Run) -> None:
    """`explain import` has every check of the group with its meaning, and the command that runs them alone."""
    ran = vkzircon("explain", "import", **NO_VULKAN)
    said = " ".join(ran.out.split())
    assert ran.code == 0
    assert all((f"{each.id}: {each.text.meaning}" in said) == each.id.startswith("import.") for each in in_order())
    assert "vkzircon check --select import judges" in said


def test_facts_rights_and_terms_are_explained() -> None:
    """As `--require` writes them, and as Zircon does; an example of a fact is a condition that can be required."""
    for name in FACTS:
        *_, found = explain(name.upper())
        assert (found.word, found.group) == (name, Group.FACT)
        for condition in re.findall(r"--require '?([^ ']+[^ '.,])", found.advice):
            assert parse_condition(condition).name == name
    assert {(each.word, each.group) for each in explain("zx_right_map")} == {("MAP", Group.RIGHT)}
    assert [_word(term) for term in ("KOID", "vmo", "handle type", "handle-type")] == [
        "koid",
        "VMO",
        *["handle type"] * 2,
    ]


def test_python_without_docstrings_explains_the_same(vkzircon: Run) -> None:
    """PYTHONOPTIMIZE=2 drops docstrings, and no text is one."""
    (of_rights,) = explain("export.rights")
    ran = vkzircon("explain", "export.rights", "--format", "json", PYTHONOPTIMIZE="2", **NO_VULKAN)
    (found,) = ran.json["explanations"]
    assert (found["meaning"], found["advice"]) == (of_rights.meaning, of_rights.advice)


def test_personas_and_faults_are_explained(layer: installation.Installation) -> None:
    """As libzircon lists them, with the command that tries them."""
    lib = installation.open_libzircon({})
    assert layer.libzircon.is_file()
    for entry in (*list_personas(lib), *list_faults(lib)):
        (found,) = explain(entry.name.upper())
        assert (found.word, found.meaning) == (entry.name, entry.description)
        assert entry.name in found.advice


def test_without_an_emulation_the_rest_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a Fuchsia device, where none is installed."""
    monkeypatch.setattr("vkzircon_cli.__path__", [])
    assert _word("bad_state") == "ZX_ERR_BAD_STATE"
    with pytest.raises(Usage, match="export-zero"):
        explain("export-zero")


@pytest.mark.parametrize(
    ("typo", "near"),
    [
        ("export.right", "export.rights"),
        ("vk_error_invalid_external_handel", "VK_ERROR_INVALID_EXTERNAL_HANDLE"),
        ("bad_stat", "ZX_ERR_BAD_STATE"),
        ("04571", "VUID-VkMemoryDedicatedAllocateInfo-image-04751"),
        ("goldfisch", "goldfish"),
        ("duplicat", "DUPLICATE"),
        ("memory.type", "memory.types"),
    ],
)
def test_a_typo_gets_the_nearest_words(typo: str, near: str) -> None:
    """In what is told, and in the hint."""
    with pytest.raises(Usage) as refused:
        explain(typo)
    assert f'"{typo}" is not a word' in refused.value.message
    assert refused.value.hint.startswith("Did you mean ")
    assert near in refused.value.hint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("",), '"" is not a word'),
        (("goldfisch",), "Did you mean goldfish"),
        (("\x1b[31m\x07\n\u202e",), r'"\x1b[31m\x07\n\u202e" is not a word'),
        (("x" * 10_000,), f'"{"x" * 60}..." is not a word'),
        (("\x1b" * 10_000,), '..." is not a word'),
        ((b"\xff\xfe".decode(errors="surrogateescape"),), r'"\xff\xfe" is not a word'),
        (("--nope",), "No such option: --nope."),
        (("-" + "y" * 10_000,), "No such option: -yyy"),
        (("-77",), "-77 is not the number of a known VkResult or zx_status_t"),
        (("-99999999999999999999",), "-99999999999999999999 is not the number of a"),
        (("99",), "99 is not the number of a"),
        (("export.rights", "04751"), "unexpected extra argument"),
        (("04751", "--format", "trace"), "'trace' is not one of terminal, json"),
        (("04751", "--output", "-"), "a file's name is needed"),
    ],
)
def test_what_is_no_word_is_refused(vkzircon: Run, arguments: tuple[str, ...], said: str) -> None:
    """Bounded and harmless on one line, with the help to ask."""
    ran = vkzircon("explain", *arguments, **NO_VULKAN)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert "vkzircon explain" in ran.err
    assert ran.err.isascii()
    assert ran.err.rstrip("\n").isprintable()
    assert len(ran.err) < 300


@given(st.text(max_size=200))
def test_no_word_breaks_it(word: str) -> None:
    """Any text is explained or refused."""
    refused = None
    try:
        assert explain(word)
    except Usage as usage:
        refused = usage
    assert refused is None or (refused.message.isprintable() and len(refused.message) < 150)


@pytest.mark.parametrize("word", ["export.rights", "-4", "04751", "VK_ERROR_UNKNOWN", "magma"])
def test_json_has_one_shape(vkzircon: Run, layer: installation.Installation, word: str) -> None:
    """The same keys for every kind of word, and the word as it was asked."""
    assert layer.manifest.is_file()
    ran = vkzircon("explain", word, "--format", "json", **NO_VULKAN)
    assert (ran.code, ran.err) == (0, "")
    Draft202012Validator(SCHEMA).validate(ran.json)
    assert ran.json["asked"] == word
    assert [each["word"] for each in ran.json["explanations"]] == [each.word for each in explain(word)]
    assert ran.json["groups"] == []


def test_without_a_word_the_words_are_listed(vkzircon: Run) -> None:
    """For programs whole, for people in their short form; each of them can be explained."""
    ran = vkzircon("explain", "--format", "json", **NO_VULKAN)
    assert (ran.code, ran.err) == (0, "")
    Draft202012Validator(SCHEMA).validate(ran.json)
    assert [group["group"] for group in ran.json["groups"]] == list(Group)
    listed = [word for group in ran.json["groups"] for word in group["words"]]
    assert listed == [each.word for each in _all()]
    shown = vkzircon("explain", **NO_VULKAN).out.replace(",", " ").split()
    for each in _all():
        assert {each.word, each.word.removeprefix("VUID-"), *each.also[:1]} & set(shown), each.word
    assert all(explain(word) for word in words())


@pytest.mark.parametrize("columns", ["20", "40", "80", "200"])
def test_the_page_is_not_left(columns: str) -> None:
    """Lines end at the terminal's width, and but for a title never beyond 100 columns, for every word."""
    page = page_for(False, "utf-8", {"COLUMNS": columns}, False, None)
    texts = [render_words(word_groups(), page), *(render_explanations([each], page) for each in _all())]
    for title, *lines in (text.splitlines() for text in texts):
        assert len(title) <= int(columns)
        assert max(map(len, lines)) <= min(int(columns), 100)


def test_it_is_plain_when_piped(vkzircon: Run) -> None:
    """No escape codes, at most 80 columns but for the title; colour only where it is asked for."""
    ran = vkzircon("explain", "VK_ERROR_INVALID_EXTERNAL_HANDLE", **NO_VULKAN)
    assert (ran.code, ran.err) == (0, "")
    assert "\x1b" not in ran.out
    assert max(map(len, ran.out.splitlines()[1:])) <= 80
    for said in ("VK_ERROR_INVALID_EXTERNAL_HANDLE", "-1000072003", "Usual causes", "SwiftShader", "What to do"):
        assert said in ran.out
    narrow = vkzircon("explain", "04751", FORCE_COLOR="1", COLUMNS="40", **NO_VULKAN).out
    assert "\x1b" in narrow
    assert max(len(re.sub("\x1b[^m]*m", "", line)) for line in narrow.splitlines()) <= 40
    assert "\x1b" not in vkzircon("explain", "04751", "--no-color", FORCE_COLOR="1", **NO_VULKAN).out


def test_it_is_written_to_a_file(vkzircon: Run) -> None:
    """Standard output then stays empty; a place that cannot be written to is exit 6."""
    ran = vkzircon("explain", "04751", "--output", "explained.txt", **NO_VULKAN)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert vkzircon("explain", "04751", "--output", "/nonexistent/x", **NO_VULKAN).code == 6


def test_practice_is_told_from_rules(vkzircon: Run) -> None:
    """A reader learns whether a rule of Vulkan is broken."""
    assert "rests on practice" in vkzircon("explain", "export.rights", **NO_VULKAN).out
    assert "rests on VUID-VkMemoryAllocateInfo-allocationSize-07903" in vkzircon("explain", "export.size").out


def test_words_are_completed(vkzircon: Run) -> None:
    """A shell offers the words that begin as typed."""
    typed = {"COMP_WORDS": "vkzircon explain export.r", "COMP_CWORD": "2", "_VKZIRCON_COMPLETE": "complete_bash"}
    assert vkzircon(**typed, **NO_VULKAN).out.split() == ["export.result-codes", "export.rights"]
