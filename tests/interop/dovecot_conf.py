#!/usr/bin/env python3
"""A file in the words of dovecot.conf 2.3 starts the server: includes, a variable, a quoted value, a continued line, a protocol
section, a unix listener with mode and owner; `roost -n` prints it so that it reads back the same; errors are told all at once."""
import grp
import os
import pwd
import smtplib
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from testsite import PREFIX, ROOT, Site  # noqa: E402

CONF = """\
protocols = imap lmtp
listen = 127.0.0.1
base_dir = {dir}/run
log_path = {dir}/log
disable_plaintext_auth = no
auth_mechanisms = plain
auth_mechanisms = $auth_mechanisms login
ssl = yes
ssl_cert = <{dir}/cert.pem
ssl_key = <{dir}/key.pem
mail_location = \\
  maildir:~/Maildir
first_valid_uid = {first_uid}
login_greeting = "Ready, with  two blanks."
!include conf.d/*.conf
!include_try {dir}/absent.conf
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {dir}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/mail/%d/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
{extra}
"""

LMTP = """\
service lmtp {{
  unix_listener {dir}/roost-lmtp {{
    mode = 0600
    user = {user}
    group = {group}
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
protocol imap {{
  mail_max_userip_connections = 3
}}
"""

NAMESPACE = """\
namespace inbox {
  inbox = yes
  mailbox Drafts {
    special_use = \\Drafts
    auto = subscribe
  }
  mailbox "Sent Mail" {
    special_use = \\Sent
    auto = create
  }
}
"""

USER = "anna@example.org"
user = pwd.getpwuid(65534 if ROOT else os.geteuid()).pw_name
group = grp.getgrgid(65534 if ROOT else os.getegid()).gr_name


def roost_n(path):
    return subprocess.run([f"{PREFIX}/sbin/roost", "-n", "-c", path], capture_output=True, text=True, timeout=30)


with Site({USER: "secret"}, conf=CONF, start=False) as site:
    os.mkdir(f"{site.dir}/conf.d")
    with open(f"{site.dir}/conf.d/10-mail.conf", "w") as f:
        f.write(NAMESPACE)
    with open(f"{site.dir}/conf.d/20-lmtp.conf", "w") as f:
        f.write(LMTP.format(dir=site.dir, user=user, group=group, port=site.lmtp_port))
    path = f"{site.dir}/roost.conf"
    first = roost_n(path)
    assert first.returncode == 0, first
    with open(f"{site.dir}/again.conf", "w") as f:
        f.write(first.stdout)
    second = roost_n(f"{site.dir}/again.conf")
    lines = [[x for x in out.stdout.splitlines() if not x.startswith("#")] for out in (first, second)]
    assert lines[0] == lines[1] and "auth_mechanisms = plain login" in lines[0], lines
    assert "BEGIN" not in first.stdout, "the key's content is printed"

    site.start()
    imap = site.imap(USER)
    assert b"Ready, with  two blanks." in imap.welcome
    folders = b"\n".join(imap.list()[1])
    assert b'\\Drafts) "." Drafts' in folders and b'\\Sent) "." "Sent Mail"' in folders, folders
    assert b"Drafts" in b"".join(x for x in imap.lsub()[1] if x)
    others = [site.imap(USER), site.imap(USER)]
    try:
        site.imap(USER)
        raise AssertionError("protocol imap { } has no effect")
    except Exception as e:
        assert "mail_max_userip_connections=3" in str(e), e
    info = os.stat(f"{site.dir}/roost-lmtp")
    assert stat.S_IMODE(info.st_mode) == 0o600 and stat.S_ISSOCK(info.st_mode)
    assert pwd.getpwuid(info.st_uid).pw_name == user
    lmtp = smtplib.LMTP(f"{site.dir}/roost-lmtp")
    assert not lmtp.sendmail("a@example.net", [USER], b"Subject: x\r\n\r\nbody\r\n")
    lmtp.quit()
    assert imap.select("INBOX")[1][0] == b"1"

    with open(f"{site.dir}/broken.conf", "w") as f:
        f.write("protcols = imap\nssl = perhaps\nservice imap-login {\n  inet_listener imap {\n    port = many\n  }\n}\n"
                "mail_max_userip_connections = -1\n!include nowhere.conf\n")
    broken = roost_n(f"{site.dir}/broken.conf")
    assert broken.returncode == 89, broken
    for words in (":1: ", '"protocols"', ":2: ", ":5: ", ":8: ", ":9: ", "nowhere.conf"):
        assert words in broken.stderr, (words, broken.stderr)
print("dovecot_conf: well")
