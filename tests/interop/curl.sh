#!/usr/bin/env bash
# curl imaps: list, fetch, append, with the site of testsite.py.
exec python3 - <<'PY'
import os
import subprocess
import sys

sys.path.insert(0, os.environ["ROOST_TOP"] + "/tests/lib")
from testsite import Site, need

USER = "anna@example.org"
need("curl", "openssl")


def curl(site, path, *words):
    done = subprocess.run(["curl", "-sS", "--cacert", f"{site.dir}/cert.pem", "--user", f"{USER}:secret",
                           f"imaps://localhost:{site.imaps_port}/{path}", "--resolve",
                           f"localhost:{site.imaps_port}:127.0.0.1", *words], capture_output=True, timeout=60)
    assert done.returncode == 0, (path, words, done)
    return done.stdout


with Site({USER: "secret"}) as site:
    text = b"Subject: by curl\r\n\r\n" + b"line of the body\r\n" * 1000
    with open(f"{site.dir}/mail.eml", "wb") as f:
        f.write(text)
    curl(site, "INBOX", "-T", f"{site.dir}/mail.eml")
    assert b"INBOX" in curl(site, "") and b"Drafts" in curl(site, "")
    assert curl(site, "INBOX;MAILINDEX=1") == text
    assert curl(site, "INBOX;MAILINDEX=1;SECTION=HEADER.FIELDS%20(SUBJECT)") == b"Subject: by curl\r\n\r\n"
    assert b"1" in curl(site, "INBOX?SUBJECT%20curl")
    # STARTTLS, and a wrong password.
    done = subprocess.run(["curl", "-sS", "--ssl-reqd", "--cacert", f"{site.dir}/cert.pem", "--user", f"{USER}:wrong",
                           f"imap://localhost:{site.imap_port}/"], capture_output=True, timeout=60)
    assert done.returncode == 67, done
print("curl: well")
PY
