"""The grammar of IMAP responses, as far as tests need it."""
import re

TOKEN = re.compile(rb' |(\()|(\))|"((?:[^"\\]|\\.)*)"|~?\{(\d+)\}\r\n|((?:[^ ()"\[{]|\[[^\]]*\](?:<\d+>)?)+)')


def parse(data):
    """A response as nested lists: atoms are str, strings are bytes, NIL is None. ValueError when it is none."""
    here, stack, at = [], [], 0
    while at < len(data):
        m = TOKEN.match(data, at)
        if not m or (m[2] and not stack):
            raise ValueError(f"at {at}: {data[:300]}")
        at = m.end()
        if m[1]:
            stack.append(here)
            here.append([])
            here = here[-1]
        elif m[2]:
            here = stack.pop()
        elif m[3] is not None:
            here.append(re.sub(rb"\\(.)", rb"\1", m[3]))
        elif m[4]:
            here.append(data[at:at + int(m[4])])
            at += int(m[4])
        elif m[5]:
            here.append(None if m[5] == b"NIL" else m[5].decode("utf-8", "replace"))
    if stack:
        raise ValueError(f"parentheses: {data[:300]}")
    return here
