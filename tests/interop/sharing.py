#!/usr/bin/env python3
"""Namespaces for each user who shares (type = shared, prefix shared/%%u/): users of one uid, and users of several whose
files' permissions say what they share; IDLE and NOTIFY across them; beside Dovecot without ACLs."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from namespaces import DOVECOT, Dovecot, Roost, maildir, own  # noqa: E402
from private_seen import answer, flags, unseen  # noqa: E402
from public_mailboxes import GROUP, GID, UIDS, append, done, hears, idle  # noqa: E402
from testsite import CONF, ROOT, Site, skip, wait_for  # noqa: E402

ANNA, BERT, CARL = "anna@example.org", "bert@example.org", "carl@example.org"
USERS = {ANNA: "secret", BERT: "secret", CARL: "secret"}
NAMESPACES = """\
mail_access_groups = {group}
namespace inbox {{{{
  inbox = yes
  separator = /
}}}}
namespace shared {{{{
  type = shared
  prefix = shared/{prefix}/
  separator = /
  location = maildir:{location}
  subscriptions = no
  list = children
}}}}
"""


def conf(prefix="%%u", location="{{dir}}/mail/%%d/%%n/Maildir", group="", more=""):
    start, end = CONF.index("namespace inbox"), CONF.index("passdb")
    lines = NAMESPACES.format(prefix=prefix, location=location.format(), group=group)
    return more + CONF[:start] + (lines if group else lines.split("\n", 1)[1]) + CONF[end:]


class Sharers(Site):
    """One uid, as virtual users have it; bert has two folders, carl has nothing yet."""

    def write_users(self):
        super().write_users()
        os.makedirs(self.home(CARL))
        maildir(self.maildir(BERT), 2)
        maildir(f"{self.maildir(BERT)}/.work", 1)
        maildir(f"{self.maildir(BERT)}/.work.deep", 1)
        own(f"{self.dir}/mail")


def names(session, question):
    return sorted(line.split(' "/" ')[1].strip('"') for line in session.say(question)[2] if line.startswith(("* LIST", "* LSUB")))


def open_session(site, user):
    session = Roost(site, user)
    session.imap.sock.settimeout(20)
    return session


def sees(site, root):
    """root: his prefix without the last separator."""
    anna = open_session(site, ANNA)
    levels = ["/".join(root.split("/")[:n + 1]) for n in range(root.count("/") + 1)]
    assert anna.say("NAMESPACE")[2] == ['* NAMESPACE (("" "/")) (("shared/" "/")) NIL']
    assert names(anna, 'LIST "" "*"') == ["INBOX"]
    for inbox in (f"{root}/INBOX", root):
        assert "MESSAGES 2" in answer(anna, f"STATUS {inbox} (MESSAGES)"), inbox
    assert "MESSAGES 1" in answer(anna, f"STATUS {root}/work (MESSAGES)")
    assert names(anna, 'LIST "" "*"') == ["INBOX", *levels, f"{root}/work", f"{root}/work/deep"]
    assert names(anna, 'LIST "" "shared/%"') == levels[1:2]
    assert names(anna, f'LIST "" "{root}/%"') == [f"{root}/work"]
    for nobody in ("shared/nobody@example.org", "shared/x", "shared/nobody@example.org/INBOX", "shared/carl@example.org", "shared/../x", "shared"):
        assert anna.say(f"SELECT {nobody}")[0] == "NO", nobody
        assert anna.say(f"CREATE {nobody}/new")[0] == "NO" or nobody == "shared", nobody
    assert not os.path.exists(site.maildir(CARL))
    assert anna.say(f"DELETE {root}")[0] == "NO"
    anna.say("DELETE shared/new")
    anna.close()


def works(site, root):
    anna, bert = open_session(site, ANNA), open_session(site, BERT)
    assert anna.say(f"CREATE {root}/made")[0] == "OK"
    assert append(anna, f"{root}/made", b"Subject: one\r\n\r\n1\r\n")[0] == "OK"
    assert "MESSAGES 1" in answer(bert, "STATUS made (MESSAGES)")
    assert anna.say(f"SELECT {root}")[0] == bert.say("SELECT INBOX")[0] == "OK"
    idle(anna)
    assert append(bert, "INBOX", b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
    hears(anna, "* 3 EXISTS")
    done(anna)
    idle(bert)
    assert anna.say("STORE 1 +FLAGS (\\Flagged work)")[0] == "OK"
    assert "\\Flagged" in hears(bert, "* 1 FETCH")
    assert anna.say("STORE 3 +FLAGS (\\Deleted)")[0] == anna.say("EXPUNGE")[0] == "OK"
    hears(bert, "* 3 EXPUNGE")
    done(bert)
    assert anna.say("COPY 1 INBOX")[0] == "OK"
    assert anna.say(f"COPY 1 {root}/made")[0] == "OK"
    assert anna.say(f"RENAME {root}/made {root}/other")[0] == "OK"
    assert anna.say(f"RENAME {root}/other mine")[0] == "NO"
    assert "MESSAGES 2" in answer(bert, "STATUS other (MESSAGES)")
    assert anna.say("UNSELECT")[0] == "OK"
    assert anna.say(f"NOTIFY SET (mailboxes {root}/other (MessageNew MessageExpunge))")[0] == "OK"
    assert append(bert, "other", b"Subject: three\r\n\r\n3\r\n")[0] == "OK"
    assert "MESSAGES 3" in hears(anna, "* STATUS")
    assert anna.say(f"DELETE {root}/other")[0] == "OK"
    # What is subscribed is there from the beginning.
    assert anna.say(f"SUBSCRIBE {root}/work")[0] == "OK"
    assert names(anna, 'LSUB "" "*"') == [f"{root}/work"] and not names(bert, 'LSUB "" "*"')
    anna.close()
    bert.close()


def remembers(site, root):
    anna = open_session(site, ANNA)
    assert names(anna, 'LIST (SUBSCRIBED) "" "*"') == [f"{root}/work"]
    assert f"{root}/work/deep" in names(anna, 'LIST "" "*"')
    assert anna.say("SUBSCRIBE shared/gone@example.org/x")[0] == "OK"
    assert anna.say("UNSUBSCRIBE shared/gone@example.org/x")[0] == "OK"
    anna.close()


def one_uid():
    cases = [
        ("%%u", "{{dir}}/mail/%%d/%%n/Maildir", "shared/bert@example.org", ""),
        ("%%n", "{{dir}}/mail/%d/%%n/Maildir:INDEX=~/theirs/%%u", "shared/bert", ""),
        ("%%d/%%n", "%%h/Maildir:INDEXPVT=~/private/%%u", "shared/example.org/bert", "mail_home = {dir}/mail/%d/%n\n"),
    ]
    for prefix, location, root, more in cases:
        with Sharers(USERS, conf=conf(prefix, location, more=more)) as site:
            sees(site, root)
            works(site, root)
            site.stop()
            site.start()
            remembers(site, root)
            where = site.adm("mailbox", "path", "-u", ANNA, "-t", "index", f"{root}/work").stdout
            index = f"{site.home(ANNA)}/theirs/{BERT}" if ":INDEX=" in location else f"{site.maildir(ANNA)}/roost.index"
            assert index in where.split(), (index, where)
            if "INDEXPVT" in location:
                anna, bert = open_session(site, ANNA), open_session(site, BERT)
                assert anna.say(f"SELECT {root}")[0] == "OK" and anna.say("STORE 1 +FLAGS (\\Seen)")[0] == "OK"
                assert unseen(anna, root) == 1 and unseen(bert, "INBOX") == 2
                anna.close()
                bert.close()
            for user in (ANNA, BERT):
                out = site.adm("verify", "-u", user, "INBOX")
                assert out.returncode == 0 and not out.stderr, out


def owed(site, root):
    """A flag that is acknowledged in another's mailbox is written after a crash, too."""
    anna = open_session(site, ANNA)
    assert anna.say(f"SELECT {root}/work")[0] == "OK"
    assert anna.say("STORE 1 +FLAGS (\\Draft)")[0] == "OK"
    pid = int([x for x in site.log().splitlines() if "Login: user=<anna" in x][-1].split("mpid=")[1].split(",")[0])
    os.kill(pid, 9)
    wait_for(lambda: "killed with signal 9" in site.log(), 20)
    open_session(site, ANNA).close()
    wait_for(lambda: any("D" in name.split(":2,")[1] for name in os.listdir(f"{site.maildir(BERT)}/.work/cur")), 20)


class Groups(Sharers):
    """Each his own uid; bert's mail may be written by the group, carl's is his alone, and what he shares may be read."""

    uids = dict(UIDS, **{CARL: 20003})

    def write_users(self):
        super().write_users()
        os.chmod(f"{self.dir}/mail", 0o755)
        os.chmod(f"{self.dir}/mail/example.org", 0o755)
        maildir(self.maildir(CARL), 1)
        maildir(f"{self.maildir(CARL)}/.open", 1)
        maildir(f"{self.maildir(CARL)}/.closed", 1)
        with open(f"{self.dir}/who", "w") as f:
            for user, uid in self.uids.items():
                f.write(f"{user}::{uid}:{uid}::{self.home(user)}\n")
                os.makedirs(self.home(user), exist_ok=True)
                subprocess.run(["chown", "-R", f"{uid}:{GID}", self.home(user)], check=True)
                subprocess.run(["chmod", "-R", {BERT: "u=rwX,g=rwXs,o="}.get(user, "u=rwX,go=rX"), self.home(user)], check=True)
        os.chmod(f"{self.maildir(CARL)}/.closed/cur", 0o700)


def several_uids():
    text = conf(group=GROUP)
    start, end = text.index("userdb"), text.index("service imap-login")
    text = text[:start] + "userdb {{\n  driver = passwd-file\n  args = username_format=%u {dir}/who\n}}\n" + text[end:]
    with Groups(USERS, conf=text) as site:
        carl = open_session(site, CARL)
        for box in ("INBOX", "open", "closed"):
            assert carl.say(f"STATUS {box} (MESSAGES)")[0] == "OK"
        works(site, "shared/bert@example.org")
        anna = open_session(site, ANNA)
        root = "shared/carl@example.org"
        assert "READ-ONLY" in anna.say(f"SELECT {root}/open")[1]
        assert len(anna.say("FETCH 1:* FLAGS")[2]) == 1
        assert anna.say("STORE 1 +FLAGS (\\Seen)")[0] == "NO"
        assert anna.say(f"SELECT {root}/closed")[0] == "NO"
        assert anna.say(f"CREATE {root}/new")[0] == anna.say(f"DELETE {root}/open")[0] == "NO"
        anna.close()
        carl.close()


def plugin():
    """With the plug-in the lists say who may see what; they are not read, so that nobody may see anything."""
    with Sharers(USERS, conf=conf(more="mail_plugins = acl\n")) as site:
        anna = open_session(site, ANNA)
        assert anna.say("SELECT shared/bert@example.org")[0] == "NO"
        assert anna.say("NAMESPACE")[2] == ['* NAMESPACE (("" "/")) NIL NIL']
        anna.close()


def explicit():
    """mail_shared_explicit_inbox: his INBOX is a mailbox below his prefix, which itself is none."""
    root = "shared/bert@example.org"
    with Sharers(USERS, conf=conf(more="mail_shared_explicit_inbox = yes\n")) as site:
        anna, bert = open_session(site, ANNA), open_session(site, BERT)
        assert "MESSAGES 2" in answer(anna, f"STATUS {root}/INBOX (MESSAGES)")
        assert names(anna, 'LIST "" "*"') == ["INBOX", "shared", root, f"{root}/INBOX", f"{root}/work", f"{root}/work/deep"]
        assert any("\\Noselect" in line for line in anna.say(f'LIST "" {root}')[2])
        assert anna.say(f"SELECT {root}")[0] == anna.say(f"STATUS {root} (MESSAGES)")[0] == "NO"
        assert anna.say(f"SUBSCRIBE {root}/INBOX")[0] == "OK" and names(anna, 'LSUB "" "*"') == [f"{root}/INBOX"]
        assert anna.say(f"SELECT {root}/INBOX")[0] == "OK"
        idle(anna)
        assert append(bert, "INBOX", b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
        hears(anna, "* 3 EXISTS")
        done(anna)
        anna.close()
        bert.close()
        assert site.adm("verify", "-u", ANNA, f"{root}/INBOX").returncode == 0


def beside():
    """The directories as Dovecot finds and leaves them."""
    with Sharers(USERS, conf=conf(location="{{dir}}/mail/%%d/%%n/Maildir:INDEXPVT=~/private/%%u")) as site:
        anna = open_session(site, ANNA)
        ours = flags(anna, "shared/bert@example.org")
        ours_work = answer(anna, "STATUS shared/bert@example.org/work (MESSAGES UIDNEXT UIDVALIDITY)")
        anna.close()
        site.stop()
        dovecot = Dovecot(site, BERT)
        assert flags(dovecot, "INBOX") == ours
        assert ours_work.split("(")[1] == answer(dovecot, "STATUS work (MESSAGES UIDNEXT UIDVALIDITY)").split("(")[1]
        dovecot.close()


def main():
    if not ROOT:
        skip("it takes root to be several users")
    one_uid()
    with Sharers(USERS, conf=conf()) as site:
        owed(site, "shared/bert@example.org")
    several_uids()
    explicit()
    plugin()
    if os.path.exists(DOVECOT):
        beside()
    print("sharing: well")


if __name__ == "__main__":
    main()
