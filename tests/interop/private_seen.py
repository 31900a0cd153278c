#!/usr/bin/env python3
"""Mailboxes that several users share and in which \\Seen is each one's own: INDEXPVT=, and INDEX= with dovecot-shared.
All other flags are everybody's; what was seen outlives the index, a restart and a rename; Dovecot sees the same folder."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
sys.path.insert(0, os.path.dirname(__file__))
from namespaces import DOVECOT, Dovecot, Roost  # noqa: E402
from public_mailboxes import ANNA, BERT, GID, UIDS, Public, append, conf, done, hears, idle  # noqa: E402
from testsite import ROOT, skip  # noqa: E402

# Of the team's folders and of the board: how their place is followed up. Dovecot does not let two have one index.
PRIVATE = {
    "INDEXPVT": (":INDEXPVT=~/private", ":INDEXPVT=~/private"),
    "fs": (":LAYOUT=fs:INDEXPVT=~/private", ":INDEXPVT=~/private"),
    "dovecot-shared": (":INDEX=~/index", ":INDEX=~/other"),
    "one place": (":INDEX=~/index", ":INDEX=~/index"),
}


class Shared(Public):
    def write_users(self):
        super().write_users()
        if "INDEXPVT" not in self.layout:
            open(f"{self.dir}/public/dovecot-shared", "w").close()
            open(f"{self.dir}/board/.news/dovecot-shared", "w").close()

    def __init__(self, layout, board):
        self.layout = layout
        text = conf(layout).replace("maildir:{dir}/board", "maildir:{dir}/board" + board)
        super().__init__({ANNA: "secret", BERT: "secret"}, conf=text)


def flags(session, box):
    assert session.say(f"SELECT {box}")[0] == "OK"
    found = {}
    for line in session.say("UID FETCH 1:* (FLAGS)")[2]:
        if " FETCH (" in line:
            uid = int(line.split("UID ")[1].split()[0].rstrip(")"))
            found[uid] = set(line.split("FLAGS (")[1].split(")")[0].split()) - {"\\Recent"}
    return found


def answer(session, command):
    """Its own line: a FETCH of what others did may come before it (RFC 3501 section 7)."""
    lines = [line for line in session.say(command)[2] if line.startswith(f"* {command.split()[0]}")]
    assert len(lines) == 1, (command, lines)
    return lines[0]


def unseen(session, box):
    return int(answer(session, f"STATUS {box} (UNSEEN)").split("UNSEEN ")[1].rstrip(")"))


def sessions(site):
    both = Roost(site, ANNA), Roost(site, BERT)
    for session in both:
        session.imap.sock.settimeout(20)
    return both


def check(site, when):
    """Of three messages anna has seen the second and the third, bert the first; the second is flagged."""
    anna, bert = sessions(site)
    assert flags(anna, "Public/team") == {1: set(), 2: {"\\Seen", "\\Flagged"}, 3: {"\\Seen"}}, (when, flags(anna, "Public/team"))
    assert flags(bert, "Public/team") == {1: {"\\Seen"}, 2: {"\\Flagged"}, 3: set()}, (when, flags(bert, "Public/team"))
    assert answer(anna, "SEARCH SEEN") == "* SEARCH 2 3" and answer(bert, "SEARCH SEEN") == "* SEARCH 1"
    assert unseen(anna, "Public/team") == 1 and unseen(bert, "Public/team") == 2
    anna.close()
    bert.close()


def fill(site):
    anna, bert = sessions(site)
    assert anna.say("CREATE Public/team")[0] == "OK"
    for n in (1, 2):
        assert append(anna, "Public/team", b"Subject: %d\r\n\r\nx\r\n" % n)[0] == "OK"
    assert append(anna, "Public/team", b"Subject: 3\r\n\r\nx\r\n", "\\Seen")[0] == "OK"
    assert len(flags(anna, "Public/team")) == len(flags(bert, "Public/team")) == 3
    idle(bert)
    assert anna.say("STORE 2 +FLAGS.SILENT (\\Seen \\Flagged)")[0] == "OK"
    heard = hears(bert, "* 2 FETCH")
    assert "\\Flagged" in heard and "\\Seen" not in heard, heard
    done(bert)
    assert bert.say("FETCH 1 BODY[TEXT]")[0] == "OK"
    assert bert.say("STORE 3 +FLAGS (\\Seen)")[0] == bert.say("STORE 3 -FLAGS (\\Seen)")[0] == "OK"
    anna.close()
    bert.close()


def copies(site):
    """A copy has been seen by who made it, if he had seen the original."""
    anna, bert = sessions(site)
    flags(anna, "Public/team")
    assert anna.say("CREATE Public/other")[0] == "OK"
    assert anna.say("COPY 1:3 Public/other")[0] == "OK"
    assert unseen(anna, "Public/other") == 1 and unseen(bert, "Public/other") == 3
    assert anna.say("COPY 2 INBOX")[0] == "OK"
    assert flags(anna, "INBOX") == {1: {"\\Seen", "\\Flagged"}}
    # What is private comes along, whoever renames.
    assert bert.say("RENAME Public/other Public/renamed")[0] == "OK"
    assert unseen(anna, "Public/renamed") == 1 and unseen(bert, "Public/renamed") == 3
    assert bert.say("DELETE Public/renamed")[0] == "OK"
    assert anna.say("CREATE Public/renamed")[0] == "OK"
    assert append(anna, "Public/renamed", b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
    assert append(anna, "Public/renamed", b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
    assert unseen(anna, "Public/renamed") == 2
    assert bert.say("DELETE Public/renamed")[0] == "OK"
    anna.close()
    bert.close()


def readonly(site):
    """Who may only read can say what he has read, and nothing else."""
    anna, bert = sessions(site)
    assert unseen(anna, "Board/news") == 2
    answer = bert.say("SELECT Board/news")
    assert "READ-WRITE" in answer[1] and any("PERMANENTFLAGS (\\Seen)" in line for line in answer[2]), answer
    assert bert.say("STORE 1 +FLAGS (\\Seen)")[0] == "OK"
    assert bert.say("STORE 2 FLAGS (\\Seen \\Flagged work)")[0] == "OK"
    assert bert.say("STORE 1 +FLAGS (\\Flagged)")[0] == "NO"
    assert bert.say("EXPUNGE")[0] == "NO"
    assert flags(bert, "Board/news") == {1: {"\\Seen"}, 2: {"\\Seen"}}
    assert bert.say("STORE 2 FLAGS ()")[0] == "OK"
    bert.say("UNSELECT")
    assert "READ-ONLY" in bert.say("EXAMINE Board/news")[1]
    assert bert.say("STORE 2 FLAGS (\\Seen)")[0] == "NO"
    assert unseen(anna, "Board/news") == 2 and unseen(bert, "Board/news") == 1
    anna.close()
    bert.close()


def forget_indexes(site):
    for top, dirs, files in os.walk(site.dir):
        for name in [d for d in dirs if d == "roost.index"]:
            shutil.rmtree(f"{top}/{name}")
            dirs.remove(name)
        for name in files:
            if name.startswith(("roost.index", "data.mdb", "lock.mdb", "mark")):
                os.remove(f"{top}/{name}")


def beside(site):
    """What each has seen Dovecot knows of itself; all else it finds as we do."""
    for user in UIDS:
        dovecot = Dovecot(site, user, (UIDS[user], UIDS[user], [GID]))
        theirs = flags(dovecot, "Public/team")
        assert theirs == {1: set(), 2: {"\\Flagged"}, 3: set()}, theirs
        assert dovecot.say(f"STORE {'2:3' if user == ANNA else 1} +FLAGS (\\Seen)")[0] == "OK"
        assert dovecot.say("STORE 1 +FLAGS (\\Draft)")[0] == "OK"
        assert dovecot.say("STORE 1 -FLAGS (\\Draft)")[0] == "OK"
        assert dovecot.say("CREATE Public/made")[0] == "OK"
        roost = Roost(site, user)
        assert roost.say("CREATE Public/ours")[0] == "OK"
        shared = "dovecot-shared"
        places = [f"{site.dir}/public/{'' if 'fs' in site.layout else '.'}{name}" for name in ("made", "ours")]
        assert {os.path.exists(f"{place}/{shared}") for place in places} == {'INDEXPVT' not in site.layout}, places
        assert roost.say("DELETE Public/made")[0] == roost.say("DELETE Public/ours")[0] == "OK"
        roost.close()
        dovecot.close()


def migrated(site):
    """What each saw with Dovecot he has seen, also what he saw there in between; what he saw here stays."""
    site.stop()
    ids = {user: (uid, uid, [GID]) for user, uid in UIDS.items()}
    dovecot = {user: Dovecot(site, user, ids[user]) for user in (ANNA, BERT)}
    box = "Public/moved"
    assert dovecot[ANNA].say(f"CREATE {box}")[0] == "OK"
    for n in range(6):
        assert append(dovecot[ANNA], box, b"Subject: %d\r\n\r\nx\r\n" % n)[0] == "OK"
    assert len(flags(dovecot[BERT], box)) == len(flags(dovecot[ANNA], box)) == 6
    assert dovecot[ANNA].say("STORE 1:3 +FLAGS (\\Seen)")[0] == dovecot[ANNA].say("STORE 2 -FLAGS (\\Seen)")[0] == "OK"
    assert dovecot[BERT].say("STORE 6 +FLAGS (\\Seen)")[0] == "OK"
    assert dovecot[BERT].say("SELECT Board/news")[0] == dovecot[BERT].say("STORE 2 +FLAGS (\\Seen)")[0] == "OK"
    theirs = {user: flags(dovecot[user], box) for user in dovecot}
    for session in dovecot.values():
        session.close()
    site.start()
    ours = dict(zip((ANNA, BERT), sessions(site)))
    assert unseen(ours[ANNA], box) == 4 and unseen(ours[BERT], box) == 5
    assert {user: flags(ours[user], box) for user in ours} == theirs, theirs
    news = flags(ours[BERT], "Board/news")
    assert news == {1: {"\\Seen"}, 2: {"\\Seen"}}, news
    assert flags(ours[ANNA], "Board/news") == {1: set(), 2: set()}
    flags(ours[ANNA], box)
    assert ours[ANNA].say("STORE 1 -FLAGS (\\Seen)")[0] == ours[ANNA].say("STORE 2 +FLAGS (\\Seen)")[0] == "OK"
    for session in ours.values():
        session.close()
    site.stop()
    for user, told in ((ANNA, "4:5"), (BERT, "1")):
        session = Dovecot(site, user, ids[user])
        assert len(flags(session, box)) == 6
        assert session.say(f"STORE {told} +FLAGS (\\Seen)")[0] == "OK"
        session.close()
    site.start()
    anna, bert = sessions(site)
    assert unseen(anna, box) == 2 and unseen(bert, box) == 4
    seen = [{uid for uid, have in flags(session, box).items() if "\\Seen" in have} for session in (anna, bert)]
    assert seen == [{2, 3, 4, 5}, {1, 6}], seen
    anna.close()
    bert.close()


def back(site):
    """What was seen here since Dovecot learns from the lines of roostadm release."""
    from release import DOVEADM
    box, ids = "Public/moved", {user: (uid, uid, [GID]) for user, uid in UIDS.items()}
    anna = sessions(site)[0]
    ours = flags(anna, box)
    assert ours[2] == {"\\Seen"} and ours[1] == set(), ours
    anna.close()
    site.stop()
    theirs = Dovecot(site, ANNA, ids[ANNA])
    assert flags(theirs, box) != ours
    theirs.close()
    lines = site.adm("release", "-s", "-u", ANNA, box)
    assert lines.returncode == 0 and "flags add" in lines.stdout, lines
    with open(f"{site.dir}/dovecot.conf", "a") as f:
        f.write(f"log_path = /dev/stderr\nstats_writer_socket_path =\nbase_dir = {site.dir}/dc\n")
    os.makedirs(f"{site.dir}/bin", exist_ok=True)
    with open(f"{site.dir}/bin/doveadm", "w") as f:
        f.write(DOVEADM.format(user=ANNA, root=ROOT, uid=UIDS[ANNA], gid=GID, home=site.home(ANNA), conf=f"{site.dir}/dovecot.conf"))
    os.chmod(f"{site.dir}/bin/doveadm", 0o755)
    r = subprocess.run(["sh", "-e", "-c", lines.stdout], capture_output=True, timeout=60, text=True,
                       env={"PATH": f"{site.dir}/bin:{os.environ['PATH']}"})
    assert r.returncode == 0, (r, lines.stdout)
    theirs = Dovecot(site, ANNA, ids[ANNA])
    assert flags(theirs, box) == ours, (flags(theirs, box), ours)
    theirs.close()
    site.start()
    anna = sessions(site)[0]
    assert flags(anna, box) == ours
    anna.close()


def modseqs(site):
    """Each one's count goes on as if he were alone: that another begins later tells nobody anything again."""
    anna = sessions(site)[0]
    box = "Public/counted"
    assert anna.say(f"CREATE {box}")[0] == append(anna, box, b"Subject: x\r\n\r\nx\r\n")[0] == "OK"
    flags(anna, box)
    assert anna.say("STORE 1 +FLAGS (\\Seen)")[0] == "OK"
    anna.close()

    def modseq(session):
        return int(answer(session, f"STATUS {box} (HIGHESTMODSEQ)").split("HIGHESTMODSEQ ")[1].rstrip(")"))

    bert = sessions(site)[1]
    before = modseq(bert)
    place = f"{site.home(ANNA)}/{'private' if 'INDEXPVT' in site.layout else 'index'}"
    bert.close()
    site.stop()
    floors = [open(f"{place}/{name}").read().split()[2] for name in os.listdir(place) if name.startswith("roost-seen.")]
    assert floors and all(int(floor) > before for floor in floors), (floors, before)
    for top, dirs, files in os.walk(place):
        assert not [name for name in files if name.startswith("roost-extra")]
    extra = f"{site.dir}/public/{'' if 'fs' in site.layout else '.'}counted/roost-extra"
    assert not os.path.exists(extra) or not [line for line in open(extra) if line.startswith("m ")], open(extra).read()
    site.start()
    anna, bert = sessions(site)
    assert modseq(bert) == before
    anna.close()
    bert.close()


def main():
    if not ROOT:
        skip("it takes root to be two users")
    for kind, places in PRIVATE.items():
        with Shared(*places) as site:
            fill(site)
            check(site, f"{kind}: at first")
            readonly(site)
            copies(site)
            site.stop()
            forget_indexes(site)
            site.start()
            check(site, f"{kind}: from the folder")
            anna, bert = sessions(site)
            assert unseen(anna, "Board/news") == 2 and unseen(bert, "Board/news") == 1
            anna.close()
            bert.close()
            if os.path.exists(DOVECOT) and kind != "one place":
                site.stop()
                site.start()
                beside(site)
                check(site, f"{kind}: after Dovecot")
                migrated(site)
                if shutil.which("doveadm"):
                    back(site)
            assert "left out" not in site.log()
            if kind != "one place":
                modseqs(site)
            out = site.adm("verify", "-u", ANNA, "Public/team")
            assert out.returncode == 0, out
    print("private_seen: well")


if __name__ == "__main__":
    main()
