# SPDX-License-Identifier: Apache-2.0
"""What must not travel is hidden everywhere, marked and counted; all else stays to the letter."""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import reports
import seeds
from any_report import hostile
from hypothesis import given
from hypothesis import strategies as st

from vkzircon_cli.checks import Outcome
from vkzircon_cli.model import home
from vkzircon_cli.model.home import without_home
from vkzircon_cli.model.host import Variable
from vkzircon_cli.render.json import render_json
from vkzircon_cli.report.redaction import Hidden, People, Redactor, people
from vkzircon_cli.report.report import Report
from vkzircon_cli.report.secrets import ISSUERS
from vkzircon_cli.saved.schema import parse

ALICE = People(("/home/alice",), ("alice", "bob"), ("wonder.example.org", "wonder"))
UUID = "6d657361-3232-2e33-2e36-000000000000"


@pytest.mark.parametrize(
    ("words", "hidden"),
    [
        ("/home/alice/x.json", "~/x.json"),
        ("/home/alice", "~"),
        ("in /home/alice.", "in ~."),
        ("A=/home/alice:/usr/lib", "A=~:/usr/lib"),
        ("/home/alice.old/x", "/home/<user>/x"),
        ("/home/alicette/x", "/home/<user>/x"),
        ("/home/bob/x:/Users/carol/y", "/home/<user>/x:/Users/<user>/y"),
        ("/opt/home/dave/x", "/opt/home/dave/x"),
        ("/run/media/alice/stick", "/run/media/<user>/stick"),
        ("alice@wonder: no", "<user>@<host>: no"),
        ("wonder.example.org said", "<host> said"),
        ("malice, aliceslaptop, alice2, alice_2, alice-2", "m<user>, <user>slaptop, <user>2, <user>_2, <user>-2"),
        ("/tmp/.alice/x /tmp/runtime-alice/x", "/tmp/.<user>/x /tmp/runtime-<user>/x"),
        ("x.alice", "x.<user>"),
        (r"\xffalice", r"\xff<user>"),
        (r"of\nalice\u2028alice\U0001f600alice", r"of\n<user>\u2028<user>\U0001f600<user>"),
        ("\x1b[31malice\x1b[0;32mwonder\x1b[m", "\x1b[31m<user>\x1b[0;32m<host>\x1b[m"),
        (r"\n/home/alice/x\t/home/bob/y", r"\n~/x\t/home/<user>/y"),
        (rf"\xff{UUID}\n{UUID}", r"\xff<UUID 1>\n<UUID 1>"),
        ("Alice ALICE", "<user> <user>"),
        ("wonderful Wonder-1 WONDER.EXAMPLE.ORG", "wonderful <host>-1 <host>"),
        ("Bobby bobs bob2 bob_x BOB", "Bobby bobs <user>2 <user>_x <user>"),
        ("VK_KHR_alices_memory VK_LAYER_alice_x", "VK_KHR_alices_memory VK_LAYER_<user>_x"),
        ("API_TOKEN=abc123 x", "API_TOKEN=<hidden> x"),
        ("api_key=abc123;x", "api_key=<hidden>;x"),
        ('MY_SECRET="a b c" x', "MY_SECRET=<hidden> x"),
        ('{"password": "a b"}', '{"password": <hidden>}'),
        (r'{"password": "a\"b", "x": 1}', '{"password": <hidden>, "x": 1}'),
        ('{"password": "cut he', '{"password": <hidden>'),
        ('{"password": "cut \\', '{"password": <hidden>'),
        ('{"token": 123, "x": 1}', '{"token": <hidden>, "x": 1}'),
        ("TOKEN=a:b,c=d x", "TOKEN=<hidden> x"),
        ("MY_TOKEN_OF_TOKEN=a x", "MY_TOKEN_OF_TOKEN=<hidden> x"),
        ("unexpected token: ) in line", "unexpected token: ) in line"),
        ("MONKEY=banana KEYBOARD=us AUTHOR=me", "MONKEY=banana KEYBOARD=us AUTHOR=me"),
        ("https://bob:pw@example.com/x", "https://<hidden>@example.com/x"),
        ("redis://:pw@h https://bob:p@w@h", "redis://<hidden>@h https://<hidden>@h"),
        ("https://ghp_abc@h/x", "https://<hidden>@h/x"),
        ("https://example.com/a?x=b@c", "https://example.com/a?x=b@c"),
        (f"device {UUID}", "device <UUID 1>"),
        (f"GPU-{UUID.upper()}", "GPU-<UUID 1>"),
        (UUID.replace("-", ""), "<UUID 1>"),
        (f"{UUID} {UUID} 00000000-0000-0000-0000-000000000000", "<UUID 1> <UUID 1> <UUID 2>"),
        ("VK_KHR_external_memory 0x6d6573613232", "VK_KHR_external_memory 0x6d6573613232"),
        ("", ""),
    ],
)
def test_what_is_hidden_and_what_is_not(words: str, hidden: str) -> None:
    """A path ends at a whole name, a name is a whole word, and what was hidden once is left alone."""
    redactor = Redactor(ALICE)
    assert redactor.text(words) == hidden
    again = Redactor(ALICE)
    assert again.text(hidden) == hidden
    assert again.hidden == ()


def test_what_was_hidden_is_counted() -> None:
    """Each kind once, with how often, over everything that the redactor saw."""
    redactor = Redactor(ALICE)
    redactor.text("/home/alice/x /home/alice/y")
    redactor.text(f"alice {UUID}")
    redactor.text(f"{UUID}")
    assert redactor.hidden == (Hidden("home folder", 2), Hidden("UUID", 2), Hidden("user name", 1))


@pytest.mark.parametrize(
    ("command", "hidden"),
    [
        ("ssh carol@board.corp.example /opt/agent", "ssh <user>@<host> /opt/agent"),
        ("ssh -p 2222 board.corp.example vkzircon-agent", "ssh -p 2222 <host> vkzircon-agent"),
        ("ssh -l carol board true", "ssh -l <user> <host> true"),
        (
            "sshpass -e /usr/bin/ssh -vi key -o User=carol board",
            "sshpass -e /usr/bin/ssh -vi key -o User=<user> <host>",
        ),
        ("ssh -J dave@jump.corp,jump2 -tt board -lcarol x", "ssh -J <user>@<host>,<host> -tt <host> -l<user> x"),
        ("ssh -o HostName=board -oProxyJump=jump x9000", "ssh -o HostName=<host> -oProxyJump=<host> <host>"),
        ("reach --to ssh://carol:pw@board:22 agent", "reach --to ssh://<hidden>@<host>:22 agent"),
        ("./vkzircon-agent", "./vkzircon-agent"),
    ],
)
def test_the_address_of_an_agent_is_hidden(command: str, hidden: str) -> None:
    """The user and the host that a command names are hidden wherever they occur, as those of this machine are."""
    redactor = Redactor(people(command))
    assert redactor.text(command) == hidden
    if "board" in command:
        assert redactor.text("the agent on board ended") == "the agent on <host> ended"


def test_the_names_on_a_device_are_hidden_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent's home, user and host are hidden as those of this machine are."""
    monkeypatch.setattr(home, "_elsewhere", [])
    home.also_name({"HOME": "/data/zaphod", "LOGNAME": "trillian", "HOSTNAME": "heart.example.org"})
    text = "/data/zaphod/x of trillian on heart and heart.example.org"
    assert Redactor(people()).text(text) == "~/x of <user> on <host> and <host>"
    assert without_home("/data/zaphod/x") == "~/x"


@pytest.mark.parametrize("name", ["host", "hidden", "UUID", "user"])
def test_a_mark_is_not_hidden(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Somebody who is called as our marks are is left alone, so that hiding twice is hiding once."""
    monkeypatch.setenv("USER", name)
    redactor = Redactor(people())
    once = redactor.text(f"TOKEN=x /home/bob {UUID}")
    assert once == "TOKEN=<hidden> /home/<user> <UUID 1>"
    assert redactor.text(once) == once


def test_people_are_named_as_facts_name_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that are no text are escapes; who became root by sudo is somebody."""
    monkeypatch.setenv("HOME", "/data/al\udcffice")
    monkeypatch.setenv("USER", "al\udcffice")
    monkeypatch.setenv("SUDO_USER", "carol")
    assert Redactor(people()).text(r"/data/al\xffice/x al\xffice carol") == "~/x <user> <user>"
    assert without_home(r"/data/al\xffice/x") == "~/x"


@pytest.mark.parametrize("words", ["TOKEN_" * 10_000, 'TOKEN="' * 9_000, "://" + "a:" * 32_000, "/home/" * 10_000])
def test_long_texts_take_no_long_time(words: str) -> None:
    """What a driver prints is searched in one go, and not again from each place in it."""
    began = time.process_time()
    Redactor(ALICE).text(words)
    assert time.process_time() - began < 2


def test_nobody_is_nobody() -> None:
    """Without a home, a user and a host only what shows by itself is hidden."""
    assert Redactor(People()).text(f"/home/bob root localhost {UUID}") == "/home/<user> root localhost <UUID 1>"


def _telling(name: str) -> Report:
    """Make a report in which every foreign text is *name*."""
    report = reports.with_devices(reports.emulated(reports.good_report()), reports.device(who=reports.identity(name)))
    report = reports.said(reports.with_variables(report, VK_LAYER_PATH=name), name, [name])
    return reports.concluded(report, Outcome.FAIL, name, 1, reports.result(Outcome.FAIL, "export.size", name))


def test_a_report_tells_nobody() -> None:
    """Names, variables, messages, output, sentences, UUIDs: nothing is left of them in any key."""
    report = _telling("of alice at wonder")
    text = render_json(Redactor(ALICE).facts(report))
    assert "alice" not in text
    assert "wonder" not in text
    assert UUID not in text
    assert "<UUID 1>" in text


def test_no_seed_survives_in_any_field_of_a_report() -> None:
    """Every foreign text of the report is every seed, also as JSON within the text."""
    for words in ("\n".join(seeds.SEEDS), json.dumps(seeds.SEEDS)):
        document = Redactor(ALICE).facts(_telling(words))
        assert seeds.survivors(render_json(document)) == []


@pytest.mark.parametrize("user", ["export", "memory", "device", "size", "pass", "plain", "discrete", "linux", "type0"])
def test_our_own_words_stay(user: str) -> None:
    """Ids, rules, steps, names of the spec and keys are the same for a user who is called like one."""
    report = reports.good_report()
    hidden = Redactor(People((), (user,), ())).facts(report)
    assert [(each.id, each.rule, each.steps) for each in hidden.checks] == [
        (each.id, each.rule, each.steps) for each in report.checks
    ]
    assert hidden.devices[0].extensions == report.devices[0].extensions
    assert hidden.devices[0].memory == report.devices[0].memory
    assert hidden.run.steps == report.run.steps
    assert parse(Report, render_json(hidden)) == hidden


def test_a_condition_is_as_somebody_typed_it() -> None:
    """It may name a person's device, and is no id of ours."""
    result = reports.result(Outcome.FAIL, "require device.name=alice", "device.name is X.")
    report = replace(reports.good_report(), checks=(result,))
    assert Redactor(ALICE).facts(report).checks[0].id == "require device.name=<user>"


def test_hex_does_not_tell_what_its_neighbour_hides() -> None:
    """Bytes that are not UTF-8 stand in hex too, and go where their text was changed."""
    who = reports.identity("alice \\xff", name_hex=b"alice \xff".hex())
    hidden = Redactor(ALICE).facts(who)
    assert (hidden.name, hidden.name_hex) == ("<user> \\xff", None)
    variable = Variable("VK_LAYER_PATH", "/usr/lib\\xff", "2f")
    assert Redactor(ALICE).facts(variable) == variable


def test_home_is_short_in_every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing else is hidden; its hex goes with it."""
    monkeypatch.setenv("HOME", "/home/alice/")
    event = {"text": "/home/alice/x", "text_hex": "2f", "many": ["/home/alice", "/home/alicette"], "n": 1}
    assert without_home(event) == {"text": "~/x", "text_hex": None, "many": ["~", "/home/alicette"], "n": 1}
    monkeypatch.setenv("HOME", "/")
    assert without_home("/x") == "/x"


@given(hostile, st.sampled_from(["alice", "wonder", "/home/alice/x", UUID, "TOKEN=x"]), hostile)
def test_nothing_around_it_saves_a_name(before: str, name: str, after: str) -> None:
    """Between any other texts it is found, and finding it twice is finding it once."""
    redactor = Redactor(ALICE)
    hidden = redactor.text(f"{before} {name} {after}")
    assert f" {name} " not in f" {hidden} "
    assert Redactor(ALICE).text(hidden) == hidden
    assert redactor.hidden


@pytest.mark.parametrize(
    "around",
    [
        *("{}", "a {} b", "a\n{}\nb", '"{}"', "\\n{}\\n", "({})", "x={}"),
        *("\x1b[01;31m\x1b[K{}\x1b[m", "\x1b[38;5;9m{}\x1b[0m", "\\u001b[1m{}\\u001B[0m", "\\x1b[1m{}\\x1b[0m"),
    ],
)
def test_no_seed_survives(around: str) -> None:
    """Each listed form is hidden in a line, a string, behind an escape, in brackets and behind an equals sign."""
    for seed in seeds.SEEDS:
        hidden = Redactor(ALICE).text(around.format(seed))
        assert seeds.survivors(hidden) == [], seed
        assert Redactor(ALICE).text(hidden) == hidden


@pytest.mark.parametrize("color", ["\x1b[0m", "\x1b[38;2;1;2;3m", "\\u001b[0;1;31m"])
@pytest.mark.parametrize(
    "words", ["password{}=hunter2", "password={}hunter2", "password{}: hunter2", "wo{}nder", "/home/{}bobby/x"]
)
def test_a_color_within_saves_no_secret(words: str, color: str) -> None:
    """Programs print a key in another color than its value; where it costs a secret, the color goes."""
    assert seeds.survivors(Redactor(ALICE).text(f"a {words.format(color)} b")) == []


def test_all_seeds_in_one_text() -> None:
    """None hides another one from its pattern."""
    text = "\n".join(seeds.SEEDS)
    assert len(seeds.survivors(text)) == len(seeds.SECRETS)
    assert seeds.survivors(Redactor(ALICE).text(text)) == []
    assert set(seeds.TOKENS) == set(ISSUERS)


def test_the_guide_lists_what_is_hidden() -> None:
    """The promise has every issuer of tokens, and every kind that is counted."""
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text("utf-8")
    _, _, promise = guide.partition("## Share a report")
    promise = " ".join(promise.partition("\n## ")[0].split())
    redactor = Redactor(ALICE)
    redactor.text("\n".join(seeds.SEEDS))
    kinds = [hidden.what for hidden in redactor.hidden or ()]
    assert [word for word in (*ISSUERS, *kinds) if word not in promise] == []


@pytest.mark.parametrize(
    "words",
    [
        "Vulkan 1.3.239 1.3.204.1 driver 22.3.6.1234 31.0.101.4255 libc.so.6.1.2.3 127.0.0.1 0.0.0.0",
        "std::vector vk::Device at 12:34:56 0000:01:00.0 ::1 ::",
        "unexpected token: ) in line; token: x; keys: 3; the key: value; KEYBOARD=us; PWD=/tmp; monkey: see",
        "libvulkan.so@1.2 a@b basic extension support, sk-8, hf_x, Basic Latin, APPLE",
        "VK_KHR_external_memory sha256 " + "0123456789abcdef" * 4,
        "PWD=/tmp; pwd=$(pwd) pwd=`x` PWD='/a b' OLDPWD=/ pwd; set -u x: y",
        "docker run -u 1000:1000 --user 0:0 x; --user C:\\x -u http://h --user=alicia x -u : y",
        "Usage: x <password> [options] <token>, <a href=x>secret</a> <passwords/> secret > x",
        "types [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]",
    ],
)
def test_what_only_looks_like_a_secret_stays(words: str) -> None:
    """Versions, names of C++, times, addresses of PCI devices, digests."""
    assert Redactor(ALICE).text(words) == words


@pytest.mark.parametrize("end", ["", " =@"])
@pytest.mark.parametrize(
    "part",
    [
        *("\x1b[", "\x1b[0", "\x1b[0m", "\\u001b[0"),
        *("a", "a-", "a.", "a:", "a@", "a@b.", "ab:", "0", "1.", "1, ", "0a ", "-", "\\", '\\"', "'", " ", "=", "\n"),
        *(
            "eyJa.",
            "sk-",
            "ghp_",
            "xoxb-",
            "TOKEN",
            "PASSWORD: ",
            'password": \\"',
            "--password ",
            "Cookie:",
            "Bearer ",
            "-u a:",
            "-u a:'",
            'Cookie: a="',
            "<password>",
            "<secret ",
            "pwd=",
        ),
        *(
            "-----BEGIN PRIVATE KEY-----",
            "PuTTY-User-Key-File-2",
            "://a:",
            "/home/",
            "~a",
            "C:\\Users\\",
            "alice",
            "<user>",
        ),
    ],
)
def test_hiding_takes_linear_time(part: str, end: str) -> None:
    """32 KiB, half of what is kept of a driver's output, of any repeated part."""
    began = time.process_time()
    Redactor(ALICE).text(part * (32768 // len(part)) + end)
    assert time.process_time() - began < 0.5
