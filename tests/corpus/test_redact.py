import base64

import pytest

from corpus.redact import redact, redact_text

# Made of parts: the repository itself holds nothing that looks like a secret.
LETTERS = "qWx7Zr2LmK9vTb4NsYp8HdJc3GfRw6EaUt5XkVnQ"
KEY_ID = "AKIA" + "QWB5PDKHX6PYGPAN"
AWS_SECRET = LETTERS[:40]
ENCODED = "MIIEpAIBAAKCAQEA" + LETTERS + "w7Zk"


def private_key(kind: str, end: str = "\n") -> str:
    lines = [f"-----BEGIN {kind}PRIVATE" + " KEY-----", *[ENCODED] * 6]
    return end.join([*lines, f"-----END {kind}PRIVATE" + " KEY-----"])


TOKENS = {
    "github": "ghp" + "_" + LETTERS[:36],
    "github fine-grained": "github" + "_pat_" + LETTERS[:22] + "_" + (LETTERS * 2)[:59],
    "gitlab": "glpat" + "-" + LETTERS[:20],
    "slack": "xoxb" + "-123456789012-123456789012-" + LETTERS[:24],
    "stripe": "sk_" + "live_" + LETTERS[:24],
    "google": "AI" + "za" + LETTERS[:35],
    "openai": "sk-" + LETTERS[:20] + "T3Blbk" + "FJ" + LETTERS[20:40],
    "anthropic": "sk-" + "ant-api03-" + (LETTERS * 3)[:93] + "AA",
    "npm": "np" + "m_" + LETTERS[:36],
    "pypi": "pypi-" + "AgEIcHlwaS5vcmc" + (LETTERS * 3)[:120],
    "sendgrid": "S" + "G." + LETTERS[:22] + "." + (LETTERS * 2)[:43],
    "json web token": ".".join(
        [
            "eyJhbGciOiJIUzI1NiIsInR5cCI6Ikp" + "XVCJ9",
            "eyJzdWIiOiIxMjM0NTY3" + "ODkwIn0",
            (LETTERS * 2)[:43],
        ]
    ),
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_token_is_taken_out_and_only_its_rule_is_noted(token: str) -> None:
    clean, found = redact(f'// first\nlet token = "{token}";\n'.encode())

    assert clean == b'// first\nlet token = "REDACTED";\n'
    assert found
    assert {line for line, _ in found} == {2}
    assert not any(part in rule for _, rule in found for part in (token, token[-12:]))


def test_both_halves_of_an_aws_key_are_taken_out() -> None:
    text = f"AWS_ACCESS_KEY_ID={KEY_ID}\nAWS_SECRET_ACCESS_KEY={AWS_SECRET}\n"

    clean, found = redact(text.encode())

    assert clean == b"AWS_ACCESS_KEY_ID=REDACTED\nAWS_SECRET_ACCESS_KEY=REDACTED\n"
    assert found == [
        (1, "betterleaks.aws-access-token"),
        (2, "betterleaks.aws-secret-access-key"),
    ]


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "OPENSSH "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_private_key_is_taken_out_and_the_lines_stay(kind: str, end: str) -> None:
    content = f"a{end}{private_key(kind, end)}{end}b{end}".encode()

    clean, found = redact(content)

    assert clean.splitlines()[0] == b"a"
    assert clean.splitlines()[-1] == b"b"
    assert clean.count(b"\n") == content.count(b"\n")
    assert ENCODED.encode() not in clean
    assert found == [(2, "betterleaks.private-key")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("postgres://ann:{}@db.host.io:5432/x", "postgres://ann:REDACTED@db.host.io:5432/x"),
        ("https://ann:{}@git.host.io/x.git", "https://ann:REDACTED@git.host.io/x.git"),
        ("redis://:{}@cache.host.io:6379", "redis://:REDACTED@cache.host.io:6379"),
    ],
)
def test_password_in_an_address_is_taken_out(before: str, after: str) -> None:
    clean, found = redact(before.format("s3cr" + "etpw9x").encode())

    assert clean.decode() == after
    assert found == [(1, "betterleaks.generic-credential-uri")]


@pytest.mark.parametrize(
    "address", ["ann@corp.io", "ann.smith+tag@mail.corp.co.uk", "ANN@CORP.COM", "a_b-c@corp.museum"]
)
def test_address_of_a_person_becomes_nobodys(address: str) -> None:
    clean, found = redact(f"// Author: Ann <{address}>, and more.\n".encode())

    assert clean == b"// Author: Ann <somebody@example.org>, and more.\n"
    assert found == [(1, "email")]


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com",
        "ann@sub.example.org",
        "ann@host.test",
        "ann@host.invalid",
        "ann@host.localhost",
        "git@github.com:ann/demo.git",
        "ssh://git@git.corp.io/x",
        "noreply@github.com",
        "user@host",
        "pkg@1.2.3",
        "@dataclass",
        "https://host.io/@ann",
        "let x @ Some(y) = z;",
    ],
)
def test_what_is_nobodys_address_stays(text: str) -> None:
    assert redact(text.encode()) == (text.encode(), [])


@pytest.mark.parametrize(
    "text",
    [
        'rev = "9abb771b10cc63f83fd8933f28add4282680c634"',
        'sha256 = "3e987fd8a10d1574da480510f1eedb595243dbee88e94a41df7e80a3f4883d2b"',
        'id = "123e4567-e89b-12d3-a456-426614174000"',
        "let password = read_password()?;",
        'const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";',
        "",
    ],
)
def test_what_only_looks_secret_stays(text: str) -> None:
    assert redact(text.encode()) == (text.encode(), [])


def test_secret_inside_base64_is_taken_out() -> None:
    hidden = base64.b64encode(TOKENS["github"].encode())

    assert redact(b'x = "' + hidden + b'"\n')[0] == b'x = "REDACTED"\n'


MIXED = (
    f'// ann@corp.io\nlet a = "{TOKENS["github"]}"; // bob@corp.io\n'
    f'{private_key("RSA ")}\nlet b = "{TOKENS["gitlab"]}";\n'
)


def test_every_place_is_noted_in_order() -> None:
    clean, found = redact(MIXED.encode())

    assert [line for line, _ in found] == [1, 2, 2, 3, 11]
    assert [rule for _, rule in found if rule == "email"] == ["email", "email"]
    assert clean.count(b"\n") == MIXED.count("\n")
    assert clean.splitlines()[10] == b'let b = "REDACTED";'


def test_twice_is_as_good_as_once() -> None:
    once, _ = redact(MIXED.encode())

    assert redact(once) == (once, [])


def test_bytes_in_no_encoding_stay() -> None:
    content = b"\xff\xfe\0 caf\xe9 \x80\n" * 3

    assert redact(content) == (content, [])


def test_huge_line_is_read() -> None:
    content = b"x" * 500_000 + b" ann@corp.io " + b"a.@" * 100_000

    clean, found = redact(content)

    assert clean == content.replace(b"ann@corp.io", b"somebody@example.org")
    assert found == [(1, "email")]


def test_text_is_redacted_as_bytes_are() -> None:
    assert redact_text(f"été {TOKENS['github']} ann@corp.io") == "été REDACTED somebody@example.org"
