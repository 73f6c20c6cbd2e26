# SPDX-License-Identifier: Apache-2.0
"""A seed of each form that is hidden, by its name in docs/guide.md: a text, and its secret part that must not survive.

Secrets are put together here, so that no scanner takes this file for a leak.
"""

WORD = "hunter2"
_HEX = "0123456789abcdef"
_LONG = "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5mN7pQ9sT1vX3z"  # 49 characters
USER, HOST = "alice", "wonder"
UUID = "6d657361-3232-2e33-2e36-00000000002a"
_DIGITS = UUID.replace("-", "")
_OF_UUID = [_DIGITS[at : at + 2] for at in range(0, 32, 2)]

NAMED = (
    f"PGPASSWORD={WORD}",
    f"DB_PWD={WORD}",
    f"MYSQL_PASS='{WORD} {WORD}'",
    f"password = {WORD}",
    f'"password": "{WORD} \\" {WORD}"',
    f'{{\\"password\\": \\"{WORD} \\\\\\" {WORD}\\"}}',
    f"{{'clientSecret' => '{WORD}'}}",
    f"password: {WORD}",
    f"passphrase: correct horse {WORD}",
    f"auth_token: {WORD}",
    f"X-Api-Key: {WORD}",
    f"API_TOKENS={WORD}",
    f"aws_secret_access_key = {WORD}",
    f"AccountKey={WORD}==;",
    f"client_secret : {WORD}",
    f"X-Auth-Token:{WORD}",
    f"SSHPASS={WORD}",
    f"DB_PASS='{WORD}'\"'\"'{WORD}'",
    f"DB_PASS='{WORD}'\\''{WORD}'",
    f"PASSWORD=$'{WORD}'",
    f"Server=h;Uid=sa;Pwd={WORD};",
    f"pwd='{WORD} {WORD}'",
    f"<password>{WORD}</password>",
    f'<x:clientSecret type="y"><![CDATA[{WORD} {WORD}]]></x:clientSecret>',
)
OPTIONS = (
    f"--password {WORD}",
    f"--password={WORD}",
    f"--api-key '{WORD}'",
    f"--db-password {WORD}",
    f"--token {WORD}",
    f"sshpass -p {WORD} ssh board",
    f"sshpass -v -p{WORD} ssh board",
    f"plink -pw '{WORD} {WORD}' board",
    f"curl -u bob:{WORD} http://h",
    f"curl --user 'bob:{WORD} {WORD}' http://h",
    f"curl -u bob:'{WORD} {WORD}' http://h",
    f'curl -u bob:\\"{WORD} {WORD}\\" http://h',
    f'curl --proxy-user=\\"bob:{WORD}\\" http://h',
)
HEADERS = (
    f"Authorization: Bearer {WORD}",
    f"Proxy-Authorization: Basic {WORD}=",
    f'"Authorization": "token {WORD}"',
    f"Cookie: a=1; session={WORD}",
    f'Cookie: a="1"; session="{WORD}"; b={WORD}',
    f'Authorization: Digest username="bob", nonce="", response="{WORD}"',
    f"Set-Cookie: id={WORD}; Path=/",
    f"curl -H 'authorization: {WORD}'",
    f"Bearer {WORD}{WORD}",
)
ADDRESSES = (
    f"https://bob:{WORD}@example.com/x",
    f"https://bob:{WORD}/{WORD}@example.com",
    f"redis://:{WORD}#{WORD}@h",
    f"https://{WORD}@h/x",
)
TOKENS = {
    "age": f"AGE-SECRET-{'KEY'}-1{'Q' * 58}",
    "Artifactory": f"{'AKC'}{_LONG[:20]}",
    "AWS": f"{'AK'}IA{'Q7' * 8}",
    "DigitalOcean": f"{'dop'}_v1_{_HEX * 4}",
    "Discord": f"M{_LONG[:23]}.{_LONG[:6]}.{_LONG[:27]}",
    "GitHub": f"{'ghp'}_{_LONG[:36]}",
    "GitLab": f"{'glpat'}-{_LONG[:20]}",
    "Google": f"{'AIza'}{_LONG[:35]}",
    "Hugging Face": f"{'hf'}_{_LONG[:34]}",
    "JWT": f"{'eyJ'}{_LONG[:20]}.{_LONG[:20]}.{_LONG[:20]}",
    "Mailchimp": f"{_HEX * 2}-{'us'}12",
    "npm": f"{'npm'}_{_LONG[:36]}",
    "OpenAI": f"{'sk'}-{_LONG[:48]}",
    "PyPI": f"{'pypi'}-{_LONG}",
    "SendGrid": f"{'SG'}.{_LONG[:22]}.{_LONG[:43]}",
    "Slack": f"{'xoxb'}-1234567890-{_LONG[:20]}",
    "Square": f"{'sq0csp'}-{_LONG[:43]}",
    "Stripe": f"{'sk'}_live_{_LONG[:24]}",
    "Telegram": f"123456789:{_LONG[:35]}",
    "Twilio": f"{'SK'}{_HEX * 2}",
}
KEYS = (
    f"-----BEGIN RSA PRIVATE {'KEY'}-----\n{WORD}\n{WORD}\n-----END RSA PRIVATE {'KEY'}-----",
    f"-----BEGIN OPENSSH PRIVATE {'KEY'}-----\\n{WORD}\\n-----END OPENSSH PRIVATE {'KEY'}-----",
    f"-----BEGIN PGP PRIVATE {'KEY'} BLOCK-----\n{WORD}",
)
NETWORK = (
    "203.0.113.7",
    "http://10.11.12.13:8080/x",
    "fe80::1c2:3ff:fe04:506",
    "2001:db8:1:2:3:4:5:6",
    "de:ad:be:ef:00:01",
    "DE-AD-BE-EF-00-01",
    "carol.smith@example.org",
)
PEOPLE = (
    USER,
    USER.upper(),
    f"{USER}2",
    f"my{USER}slaptop",
    HOST,
    HOST.upper(),
    f"{HOST}.example.org",
)
HOMES = (
    "/home/bobby/x",
    "/Users/bobby/x",
    "/var/home/bobby",
    "/mnt/c/Users/bobby/x",
    "C:\\Users\\bobby\\x",
    "~bobby/x",
    "file:///home/bobby/x",
    "/root/x",
)
UUIDS = (
    UUID,
    UUID.upper(),
    _DIGITS,
    f"0x{_DIGITS}",
    UUID.replace("-", "_"),
    " ".join(_OF_UUID),
    ":".join(_OF_UUID),
    ", ".join(f"0x{byte}" for byte in _OF_UUID),
    f"[{', '.join(str(int(byte, 16)) for byte in _OF_UUID)}]",
)

# The secret parts, in lower case.
SECRETS = (
    WORD,
    USER,
    HOST,
    "bobby",
    "/root/",
    *(token.lower() for token in TOKENS.values()),
    "203.0.113.7",
    "10.11.12.13",
    "fe80::",
    "2001:db8",
    "de:ad:be",
    "de-ad-be",
    "carol.smith",
    *(form.lower() for form in UUIDS),
)
SEEDS = (*NAMED, *OPTIONS, *HEADERS, *ADDRESSES, *TOKENS.values(), *KEYS, *NETWORK, *PEOPLE, *HOMES, *UUIDS)


def survivors(text: str) -> list[str]:
    """Return the secret parts that are in *text*."""
    return [secret for secret in SECRETS if secret in text.lower()]
