"""Messages made to be expensive or to be misread. One function an attack: hostile(size) is a message of about size bytes.

ATTACKS lists them by name. Cost of everything that is done with such a message must grow with its size and no faster.
"""
ATTACKS = {}
MULTI = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=%b\n\n"


def attack(f):
    ATTACKS[f.__name__] = f
    return f


def fill(size, unit, head=b"", tail=b"\n\nbody\n"):
    return head + unit * (max(size - len(head) - len(tail), 0) // len(unit)) + tail


@attack
def header_fields(size):
    return fill(size, b"X-A: b\n", tail=b"Subject: last\n\nbody\n")


@attack
def header_same_fields(size):
    return fill(size, b"From: a@b\n")


@attack
def header_line(size):
    return fill(size, b"x", b"Subject: ")


@attack
def header_folds(size):
    return fill(size, b"\n x", b"Subject: x")


@attack
def header_lines_without_colon(size):
    return fill(size, b"x\n")


@attack
def header_8bit(size):
    return fill(size, b"\xe4\xf6\x80\xff", b"Subject: ")


@attack
def header_nul(size):
    return fill(size, b"\0\0a\0", b"Subject: ")


@attack
def addresses(size):
    return fill(size, b"a@b, ", b"To: ")


@attack
def addresses_commas(size):
    return fill(size, b",", b"To: ")


@attack
def addresses_groups_nested(size):
    return fill(size, b"g:", b"To: ")


@attack
def addresses_routes(size):
    return fill(size, b"@a,", b"To: <", b"a@b>\n\nbody\n")


@attack
def comment_depth(size):
    return fill(size, b"(", b"To: a@b ")


@attack
def comment_depth_closed(size):
    return b"To: a@b " + b"(" * (size // 2) + b")" * (size // 2) + b"\n\nbody\n"


@attack
def comments_open_again(size):
    return fill(size, b"g:;(,", b"To: ")


@attack
def quotes_open(size):
    return fill(size, b'a "\\",', b"To: ")


@attack
def backslashes(size):
    return fill(size, b"\\", b'To: "', b"\n\nbody\n")


@attack
def backslash_last(size):
    return fill(size, b"x", b'Subject: a\nContent-Type: text/plain; name="', b"\\")


@attack
def domain_literals_open(size):
    return fill(size, b"a@[,", b"To: ")


@attack
def encoded_words(size):
    return fill(size, b"=?utf-8?q?a?= ", b"Subject: ")


@attack
def encoded_words_charsets(size):
    return fill(size, b"=?x?q?a?= =?iso-2022-jp?b?GyRC?= ", b"Subject: ")


@attack
def encoded_words_open(size):
    return fill(size, b"=?utf-8?q?", b"Subject: ")


@attack
def parameters(size):
    return fill(size, b"; c=d", b"Content-Type: a/b")


@attack
def parameter_continuations(size):
    return b"Content-Type: a/b" + b"".join(b"; c*%d*=%%41" % i for i in range(size // 14)) + b"\n\nbody\n"


@attack
def parameter_continuations_backwards(size):
    return b"Content-Type: a/b" + b"".join(b"; c*%d=a" % i for i in range(size // 12, 0, -1)) + b"\n\nbody\n"


@attack
def content_languages(size):
    return fill(size, b",x", b"Content-Language: x")


@attack
def date_garbage(size):
    return fill(size, b"(", b"Date: Mon, ")


@attack
def date_digits(size):
    return fill(size, b"1 ", b"Date: ")


@attack
def references(size):
    return b"Message-ID: <m@x>\nReferences:" + b"".join(b" <%d@x>" % i for i in range(size // 10)) + b"\n\nbody\n"


@attack
def references_same(size):
    return fill(size, b" <1@x>", b"Message-ID: <1@x>\nReferences:")


@attack
def references_open(size):
    return fill(size, b"<", b"References: ")


@attack
def subject_prefixes(size):
    return fill(size, b"Re: ", b"Subject: ")


@attack
def subject_brackets(size):
    return fill(size, b"[", b"Subject: ")


@attack
def subject_blobs(size):
    return fill(size, b"[a]", b"Subject: ")


@attack
def subject_forwards(size):
    half = size // 8
    return b"Subject: " + b"[fwd: " * half + b"]" * half + b"\n\nbody\n"


@attack
def mime_depth(size):
    return fill(size, MULTI % b"b" + b"--b\n", tail=b"")


@attack
def mime_depth_distinct(size):
    return b"".join(MULTI % (b"b%d" % i) + b"--b%d\n" % i for i in range(size // 75))


@attack
def mime_depth_closed(size):
    n = size // 90
    return mime_depth_distinct(n * 75) + b"".join(b"\n--b%d--\n" % i for i in range(n - 1, -1, -1))


@attack
def mime_parts(size):
    return fill(size, b"--b\n\nx\n", MULTI % b"b", b"--b--\n")


@attack
def mime_parts_without_header(size):
    return fill(size, b"--b\n", MULTI % b"b", b"")


@attack
def mime_parts_of_two(size):
    return fill(size, b"--bb\n\nx\n--b\n\ny\n", MULTI % b"b" + b"--b\n" + MULTI % b"bb", b"")


@attack
def mime_dashes(size):
    return fill(size, b"--\n", MULTI % b"b", b"")


@attack
def boundary_prefix(size):
    return fill(size, b"--bx\n\nx\n", MULTI % b"b" + b"--b\n" + MULTI % b"bx", b"")


@attack
def boundary_empty(size):
    return fill(size, b"--\n\nx\n", MULTI % b'""', b"")


@attack
def boundary_long(size):
    name = b"x" * (size // 3)
    return MULTI % name + b"--" + name + b"\n\nx\n--" + name + b"--\n"


@attack
def boundary_long_almost(size):
    name = b"x" * 60
    return fill(size, b"--" + name[:-1] + b"\n", MULTI % name, b"")


@attack
def message_in_message(size):
    return fill(size, b"Content-Type: message/rfc822\n\n", tail=b"")


@attack
def digests(size):
    return fill(size, b"Content-Type: multipart/digest; boundary=b\n\n--b\n\n", tail=b"")


@attack
def ends_cr(size):
    return fill(size, b"x\r", b"A: b\r\r", b"")


@attack
def ends_lf(size):
    return fill(size, b"\n", b"A: b\n\n", b"")


@attack
def ends_mixed(size):
    return fill(size, b"x\r\n\n\r\r\ny\n\r", b"A: b\n\n", b"\r")


@attack
def body_nul(size):
    return fill(size, b"\0", b"A: b\n\n", b"")


@attack
def body_base64_garbage(size):
    return fill(size, b"!=A", b"Content-Transfer-Encoding: base64\n\n", b"")


@attack
def body_qp_open(size):
    return fill(size, b"=", b"Content-Transfer-Encoding: quoted-printable\n\n", b"=")


@attack
def body_qp_blanks(size):
    return fill(size, b" ", b"Content-Transfer-Encoding: quoted-printable\n\n=", b"x")


@attack
def body_needle_almost(size):
    return fill(size, b"aaaaaaaab", b"A: b\n\n", b"")


@attack
def body_from_lines(size):
    return fill(size, b"From x\n\n", b"A: b\n\n", b"")


@attack
def body_charset_stateful(size):
    return fill(size, b"\x1b$B\x1b(B", b"Content-Type: text/plain; charset=iso-2022-jp\n\n", b"")


@attack
def content_length_lies(size):
    return fill(size, b"x\n", b"Content-Length: 18446744073709551615\nLines: -1\n\n", b"")


@attack
def no_header(size):
    return fill(size, b"x", b"\n", b"")


@attack
def nothing(size):
    return b""
