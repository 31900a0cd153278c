#!/usr/bin/env python3
"""Public mailboxes: users of different uids in one mailbox, by workers of their own; read-only ones; Dovecot in turn with them."""
import grp
import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from namespaces import DOVECOT, Dovecot, Roost, ask, differences, maildir  # noqa: E402
from testsite import CONF, ROOT, Site, skip, wait_for  # noqa: E402

ANNA, BERT = "anna@example.org", "bert@example.org"
UIDS = {ANNA: 20001, BERT: 20002}
GROUP = "mail"
GID = grp.getgrnam(GROUP).gr_gid
NAMESPACES = """\
mail_access_groups = {group}
namespace inbox {{{{
  inbox = yes
  separator = /
}}}}
namespace public {{{{
  type = public
  prefix = Public/
  separator = /
  location = maildir:{{dir}}/public{layout}
  subscriptions = no
}}}}
namespace board {{{{
  type = public
  prefix = Board/
  separator = /
  location = maildir:{{dir}}/board
  subscriptions = no
  list = children
}}}}
namespace old {{{{
  type = public
  prefix = Old/
  separator = /
  location = mbox:{{dir}}/old
  subscriptions = no
  list = no
}}}}
"""


def conf(layout):
    start, end = CONF.index("namespace inbox"), CONF.index("passdb")
    text = CONF[:start] + NAMESPACES.format(group=GROUP, layout=layout) + CONF[end:]
    start, end = text.index("userdb"), text.index("service imap-login")
    return text[:start] + "userdb {{\n  driver = passwd-file\n  args = username_format=%u {dir}/who\n}}\n" + text[end:]


class Public(Site):
    """Two users; public/ is for their group, board/ and old/ (mboxes) are anna's and may be read by all."""

    def write_users(self):
        super().write_users()
        os.chmod(f"{self.dir}/mail", 0o755)
        with open(f"{self.dir}/who", "w") as f:
            for user, uid in UIDS.items():
                f.write(f"{user}::{uid}:{uid}::{self.home(user)}\n")
        for user, uid in UIDS.items():
            os.makedirs(self.home(user), exist_ok=True)
            os.chown(self.home(user), uid, uid)
        os.makedirs(f"{self.dir}/public")
        os.chown(f"{self.dir}/public", 0, GID)
        os.chmod(f"{self.dir}/public", 0o2770)
        maildir(f"{self.dir}/board/.news", 2)
        os.makedirs(f"{self.dir}/old")
        for name in ("news", "none"):
            with open(f"{self.dir}/old/{name}", "w") as f:
                f.write("From a@b Thu Jan  1 10:00:00 2026\nSubject: x\n\nbody\n\n" * (name == "news") * 2)
        for root in ("board", "old"):
            for top, _, files in os.walk(f"{self.dir}/{root}"):
                for name in [top] + [f"{top}/{x}" for x in files]:
                    os.chown(name, UIDS[ANNA], UIDS[ANNA])
                    os.chmod(name, 0o755 if os.path.isdir(name) else 0o644)


def append(session, box, text, flags=""):
    status, line, _ = session.say(f"APPEND {box} ({flags}) {{{len(text)}}}", text)
    return status, line


def idle(session):
    session.writer.write(b"i IDLE\r\n")
    session.writer.flush()
    assert session.reader.readline().startswith(b"+")


def hears(session, what):
    """What arrives during IDLE until a line that holds this; the stream has a timeout."""
    while True:
        line = session.reader.readline().decode()
        assert line, what
        if what in line:
            return line


def done(session):
    session.writer.write(b"DONE\r\n")
    session.writer.flush()
    hears(session, "i OK")


def shared(site):
    anna, bert = Roost(site, ANNA), Roost(site, BERT)
    for session in (anna, bert):
        session.imap.sock.settimeout(20)
    assert anna.say("CREATE Public/team")[0] == "OK"
    assert append(anna, "Public/team", b"Subject: one\r\n\r\n1\r\n")[0] == "OK"
    assert "READ-WRITE" in bert.say("SELECT Public/team")[1]
    assert "READ-WRITE" in anna.say("SELECT Public/team")[1]
    idle(bert)
    assert append(anna, "Public/team", b"Subject: two\r\n\r\n2\r\n", "\\Answered")[0] == "OK"
    hears(bert, "* 2 EXISTS")
    done(bert)
    idle(anna)
    assert bert.say("STORE 1 +FLAGS (\\Flagged $Label1)")[0] == "OK"
    assert "\\Flagged" in hears(anna, "* 1 FETCH")
    assert bert.say("UID MOVE 2 INBOX")[0] == "OK"
    hears(anna, "* 2 EXPUNGE")
    done(anna)
    assert bert.say("STATUS INBOX (MESSAGES)")[2] == ["* STATUS INBOX (MESSAGES 1)"]
    assert bert.say("COPY 1 INBOX")[0] == "OK"
    assert bert.say("RENAME Public/team mine")[0] == "NO"
    assert bert.say("SUBSCRIBE Public/team")[0] == "OK"
    assert any("Public/team" in x for x in bert.say('LSUB "" "*"')[2])
    assert not anna.say('LSUB "" "*"')[2]
    # Somebody who has it selected in no session hears of it by NOTIFY.
    assert anna.say("UNSELECT")[0] == "OK"
    assert anna.say("NOTIFY SET (mailboxes Public/team (MessageNew MessageExpunge))")[0] == "OK"
    assert append(bert, "Public/team", b"Subject: three\r\n\r\n3\r\n")[0] == "OK"
    assert "MESSAGES 2" in hears(anna, "* STATUS")
    anna.close()
    bert.close()
    index = f"{site.dir}/public/roost.index"
    assert os.path.exists(index), os.listdir(f"{site.dir}/public")
    for top, _, files in os.walk(f"{site.dir}/public"):
        for name in files:
            if name.startswith("dovecot-uidvalidity."):
                continue  # an empty file that only its name matters of
            st = os.stat(f"{top}/{name}")
            assert st.st_gid == GID and stat.S_IMODE(st.st_mode) & 0o077 == 0o060, (top, name, oct(st.st_mode), st.st_gid)


def readonly(site):
    bert = Roost(site, BERT)
    bert.imap.sock.settimeout(20)
    # Nobody who may write has numbered the messages yet.
    anna = Roost(site, ANNA)
    assert "READ-WRITE" in anna.say("SELECT Board/news")[1]
    answer = bert.say("SELECT Board/news")
    assert "READ-ONLY" in answer[1], answer
    assert len(bert.say("FETCH 1:* (UID FLAGS)")[2]) == 2
    assert bert.say("STORE 1 +FLAGS (\\Seen)")[0] == "NO"
    assert bert.say("EXPUNGE")[0] == "NO"
    assert append(bert, "Board/news", b"Subject: x\r\n\r\nx\r\n")[0] == "NO"
    assert bert.say("COPY 1 INBOX")[0] == "OK"
    for line in ("CREATE Board/mine", "DELETE Board/news", "RENAME Board/news Board/old"):
        assert bert.say(line)[0] == "NO", line
    idle(bert)
    assert append(anna, "Board/news", b"Subject: new\r\n\r\nnew\r\n")[0] == "OK"
    hears(bert, "* 3 EXISTS")
    done(bert)
    assert bert.say("FETCH 3 BODY.PEEK[TEXT]")[0] == "OK"
    anna.close()
    bert.close()


def mboxes(site):
    bert = Roost(site, BERT)
    bert.imap.sock.settimeout(20)
    # Nobody who may write was here yet: the numbers are those of the places.
    for box, count in (("Old/none", 0), ("Old/news", 2)):
        status, line, said = bert.say(f"SELECT {box}")
        assert status == "OK" and "READ-ONLY" in line, (box, line)
        assert f"* {count} EXISTS" in said, said
    assert len(bert.say("FETCH 1:* (UID FLAGS)")[2]) == 2
    assert bert.say("STORE 1 +FLAGS (\\Seen)")[0] == "NO"
    assert append(bert, "Old/news", b"Subject: x\r\n\r\nx\r\n")[0] == "NO"
    assert bert.say("CREATE copies")[0] == "OK" and bert.say("COPY 1 copies")[0] == "OK"
    for line in ("CREATE Old/mine", "DELETE Old/news", "RENAME Old/news Old/other"):
        assert bert.say(line)[0] == "NO", line
    anna = Roost(site, ANNA)
    anna.imap.sock.settimeout(20)
    assert "READ-WRITE" in anna.say("SELECT Old/news")[1]
    assert anna.say("STORE 1 +FLAGS (\\Flagged)")[0] == "OK"
    anna.close()
    wait_for(lambda: "X-Status: F" in open(f"{site.dir}/old/news").read(), 20)
    bert.say("SELECT Old/news")
    assert "\\Flagged" in bert.say("FETCH 1 FLAGS")[2][0]
    bert.close()


def beside(site, when):
    for user in UIDS:
        roost = Roost(site, user)
        questions = ['NAMESPACE', 'LIST "" "*"', 'LIST "" "%"', 'LIST "" "Public/%"', 'LSUB "" "*"',
                     "STATUS Public/team (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)", "STATUS Board/news (MESSAGES UIDNEXT UIDVALIDITY)"]
        ours = ask(roost, questions)
        roost.close()
        dovecot = Dovecot(site, user, (UIDS[user], UIDS[user], [GID]))
        theirs = ask(dovecot, questions)
        assert "READ-WRITE" in dovecot.say("SELECT Public/team")[1]
        assert dovecot.say("STORE 1 +FLAGS (\\Draft)")[0] == "OK"
        status, line = append(dovecot, "Public/team", b"Subject: theirs\r\n\r\nx\r\n")
        assert status == "OK", line
        dovecot.close()
        found = differences(ours, theirs, ())
        assert not found, "\n".join([f"{when}, {user}:"] + found)
        roost = Roost(site, user)
        roost.say("SELECT Public/team")
        uids = [x for x in roost.say("FETCH 1:* (UID FLAGS)")[2] if "FETCH" in x]
        assert "\\Draft" in next(x for x in uids if x.startswith("* 1 ")), uids
        assert append(roost, "Public/team", b"Subject: ours\r\n\r\nx\r\n")[0] == "OK"
        roost.close()


def main():
    if not ROOT:
        skip("it takes root to be two users")
    for layout in ("", ":LAYOUT=fs"):
        with Public({ANNA: "secret", BERT: "secret"}, conf=conf(layout)) as site:
            mboxes(site)
            shared(site)
            readonly(site)
            if os.path.exists(DOVECOT):
                beside(site, layout or "Maildir++")
            assert "left out" not in site.log()
    print("public_mailboxes: well")


if __name__ == "__main__":
    main()
