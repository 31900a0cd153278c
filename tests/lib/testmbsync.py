"""mbsync against a site: everything, both ways, into Maildirs below one directory."""
import os
import subprocess

RC = """\
IMAPAccount roost
Host localhost
Port {port}
User {user}
Pass secret
SSLType {kind}
CertificateFile {dir}/cert.pem

IMAPStore far
Account roost

MaildirStore near
Path {near}/
Inbox {near}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""


def mbsync(site, user, kind, port, near):
    os.makedirs(near, exist_ok=True)
    rc = f"{site.dir}/mbsyncrc-{kind}"
    with open(rc, "w") as f:
        f.write(RC.format(port=port, user=user, kind=kind, dir=site.dir, near=near))
    done = subprocess.run(["mbsync", "-c", rc, "-a"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, (kind, done.stdout, done.stderr)
    return done
