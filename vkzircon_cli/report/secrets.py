# SPDX-License-Identifier: Apache-2.0
"""The forms of passwords, keys, tokens and addresses, by which they are known in any text.

The prefixes and lengths of tokens are those that the plugins of detect-secrets 1.5.0 look for, and those of gitleaks'
rules for Google, Hugging Face, DigitalOcean and age; the patterns are our own. Each takes linear time: what it repeats
cannot also begin it, or is bounded. docs/guide.md, "Share a report", lists the forms, and a test has a seed of each.
"""

import re

from vkzircon_cli.model.home import not_behind

_WORD = r"\w"
# Tokens without a name before them; the key is the issuer.
_TOKENS = {
    "age": r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    "Artifactory": r"AKC[A-Za-z0-9]{10,}|AP[0-9A-F][A-Za-z0-9]{48,}",
    "AWS": r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA)[0-9A-Z]{16}",
    "DigitalOcean": r"do[por]_v1_[0-9a-f]{64}",
    "Discord": r"[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}",
    "GitHub": r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}",
    "GitLab": r"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[A-Za-z0-9_-]{20,}|GR1348941[A-Za-z0-9_-]{20,}",
    "Google": r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}",
    "Hugging Face": r"hf_[A-Za-z0-9]{30,}",
    "JWT": r"eyJ[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?",
    "Mailchimp": r"[0-9a-f]{32}-us[0-9]{1,2}",
    "npm": r"npm_[A-Za-z0-9]{30,}",
    "OpenAI": r"sk-[A-Za-z0-9_-]{20,}",
    "PyPI": r"pypi-[A-Za-z0-9_-]{16,}",
    "SendGrid": r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
    "Slack": r"xox[abeoprs]-[A-Za-z0-9-]{10,}"
    r"|(?<=hooks\.slack\.com/services/)T[A-Za-z0-9_]+/B[A-Za-z0-9_]+/[A-Za-z0-9_]+",
    "Square": r"sq0(?:csp|atp)-[A-Za-z0-9_-]{22,}",
    "Stripe": r"[rs]k_(?:live|test)_[A-Za-z0-9]{24,}|whsec_[A-Za-z0-9]{24,}",
    "Telegram": r"[0-9]{8,10}:[A-Za-z0-9_-]{35}",
    "Twilio": r"(?:AC|SK)[0-9a-f]{32}",
}
ISSUERS = tuple(_TOKENS)
TOKEN = re.compile(rf"{not_behind('A-Za-z0-9')}(?:{'|'.join(_TOKENS.values())})(?![A-Za-z0-9])")

PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]{0,40}KEY(?: BLOCK)?-----|\Z)"
    r"|PuTTY-User-Key-File-\d.*?(?:Private-MAC: [0-9a-f]++|\Z)",
    re.DOTALL,
)

# In a name, with anything before and behind it; or only where the name, or a part of it, ends.
_STRONG = (
    "PASSWORD|PASSWD|PASSPHRASE|PASSCODE|SSHPASS(?==)|SECRET|CREDENTIAL|AUTHORIZATION"
    "|(?:API|ACCESS|PRIVATE|AUTH|ACCOUNT|SERVICE|CLIENT|DB|DATABASE|SIGNING|ENCRYPTION)[_-]?KEY"
)
_WEAK = r"(?:TOKEN|COOKIE|[A-Z0-9]_(?:PWD|PASS|PW))S?(?![A-Z0-9])"
_NAME = "[A-Z0-9_-]"
_NOT_YET = "(?!<hidden>)"
_QUOTE = r"""\\{0,8}["']"""
# A value ends at its closing quote, or where the text was cut before it; \" is a quote within a string of JSON, and
# shells write an apostrophe between two strings as "'" or \'.
_QUOTED = (
    r""""(?:[^"\\]|\\.)*+(?:"|\\?\Z)|\$?'(?:[^'\\]|\\.)*+(?:'|\\?\Z)(?:(?:\\{0,8}"'\\{0,8}"|\\{1,8}\')'[^'\r\n]*+')*+"""
    r"""|(?P<quote>\\{1,8}["'])(?:(?!(?<!\\)(?P=quote)).)*+(?:(?P=quote)|\Z)"""
)


def _named(words: str, separator: str, value: str, first: str = "") -> re.Pattern[str]:
    """Return the pattern of a value behind a name that has one of *words*; group 1 is the name and the separator."""
    name = rf"{not_behind('A-Za-z0-9_-')}{first}(?={_NAME}*?(?:{words}))"
    behind = rf"({_NAME}++{separator}){_NOT_YET}(?:{_QUOTED}|{value})"
    return re.compile(name + behind, re.IGNORECASE | re.DOTALL)


NAMED = (
    # Cookie: a=b; c="d", Authorization: Bearer x: all that follows in the line, or in the string that holds it
    _named(
        rf"AUTHORIZATION(?!{_NAME})|COOKIE(?!{_NAME})",
        rf"(?:{_QUOTE})?\s*+[:=]\s*+",
        r"""(?:[^\r\n"'\\]|(?<==)(?P<around>\\{0,8}")(?:(?!(?P=around))[^\r\n])*+(?P=around))++""",
    ),
    # NAME=x, NAME = x, NAME := x, 'NAME' => x
    _named(f"{_STRONG}|{_WEAK}", rf"(?:{_QUOTE})?[ \t]*+(?:=>|=(?!>)|:=)[ \t]*+", r"""[^\s;&"']++"""),
    # "NAME": x
    _named(f"{_STRONG}|{_WEAK}", rf"{_QUOTE}\s*+:\s*+", r"""[^\s,;}\]"'\\]++"""),
    # NAME: x, up to the end of the line, since it may be a sentence; "unexpected token: )" is none
    _named(_STRONG, r"[ \t]*+:[ \t]*+", r"""[^\s,;}\]"'\\][^\r\n,;}\]"'\\]*+"""),
    _named(rf"{_NAME}(?:TOKEN|_PWD|_PASS)S?(?!{_NAME})", r"[ \t]*+:(?!:)[ \t]*+", r"""[^\s,;}\]"'\\]++"""),
    _named(rf"TOKENS?(?!{_NAME})", r":[ \t]++", r"[A-Za-z0-9_./+=-]{16,}+"),
    # --password x
    _named(f"{_STRONG}|{_WEAK}", r"[ \t]++(?!-)", r"""[^\s"']++""", first="(?=-)"),
    # sshpass -p x, plink -pw x
    re.compile(
        rf"""((?:{not_behind(_WORD)}sshpass(?:[ \t]++-[ev]++)*+[ \t]++-p[ \t]*+|(?<!\S)-pw[ \t]++)){_NOT_YET}"""
        rf"""(?:{_QUOTED}|[^\s"']++)""",
        re.DOTALL,
    ),
    # Pwd=x, as in Server=h;Uid=sa;Pwd=x; the PWD of a shell is a path
    re.compile(
        rf"""({not_behind("A-Za-z0-9_-")}pwd[ \t]*+=[ \t]*+){_NOT_YET}(?!\\{{0,8}}["']?[/~$.`])"""
        rf"""(?:{_QUOTED}|[^\s;&"']++)""",
        re.IGNORECASE | re.DOTALL,
    ),
    # <password>x</password>
    _named(
        f"{_STRONG}|{_WEAK}",
        r"(?::[A-Z0-9_-]++)?(?:\s[^<>]*+)?>(?:<!\[CDATA\[)?",
        r"[^<>]++(?=>?<\\{0,8}/)",
        first=r"(?<=[<:])",
    ),
    # curl -u NAME:x, --user NAME:x; docker's --user 1000:1000 is a user and a group
    re.compile(
        r"""((?<!\S)(?:-[uU]|--(?:proxy-)?user)(?:[ \t]++|=)(?P<around>\\{0,8}["'])?+(?!\d+:\d+(?!\S))[^\s:"'/\\]++:)"""
        rf"""{_NOT_YET}(?!/|\\++(?!["']))(?(around)(?:(?!(?P=around))[^\r\n])++|(?:{_QUOTED}|[^\s"'])++)"""
    ),
)
BEARER = re.compile(rf"{not_behind(_WORD)}(Bearer|Basic)([ \t]++){_NOT_YET}(?=[\w.~+/-]*?[0-9=])[\w.~+/-]{{8,}}+=*+")

# A password may come without a user name, and may contain an @; behind a colon also / and the like.
ADDRESS_PASSWORD = re.compile(
    r"""(?<=://)(?!<hidden>@)(?:[^\s/?#"'<>:@]*+:(?:(?!://)[^\s"'<>])+|[^\s/?#"'<>]+)(?=@)""",
)
EMAIL = re.compile(not_behind(r"\w.+-") + r"[\w.+-]++@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
MAC = re.compile(not_behind(r"\w:-") + r"[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})(?![\w:-])")
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
# 0 and 127 are this machine, and 1.3.204.1 is a version of Vulkan's SDK.
IPV4 = re.compile(rf"{not_behind(_WORD + '.')}(?!(?:0|1|127)\.){_BYTE}(?:\.{_BYTE}){{3}}(?!\w|\.\d)")
IPV6 = re.compile(not_behind(r"\w:.") + r"[0-9a-f]{0,4}:[0-9a-f:]{2,39}+(?![\w:])", re.IGNORECASE)


def is_ipv6(text: str) -> bool:
    """Whether *text*, which `IPV6` found, is the address of another machine; 12:34:56 and std::x are none."""
    from ipaddress import AddressValueError, IPv6Address  # 5 ms, which few texts need

    try:
        return not (IPv6Address(text).is_loopback or IPv6Address(text).is_unspecified)
    except AddressValueError:
        return False
