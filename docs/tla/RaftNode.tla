------------------------------ MODULE RaftNode ------------------------------
(***************************************************************************)
(* One node of raft-core as a value, and its steps as operators on it.      *)
(* Like lib/raft, nothing here has variables, time or I/O.  Raft.tla puts   *)
(* nodes into a cluster for the model checker; RaftTrace.tla replays what   *)
(* real nodes did.                                                          *)
(*                                                                          *)
(* What is in memory and what is on the disk are apart.  A step changes     *)
(* memory at once; a write makes the disk equal to it later; a message may  *)
(* leave only when the disk has what it promises.                           *)
(*                                                                          *)
(* Time is not here.  A node may campaign, step down, ignore a request or   *)
(* send at any moment: leader stickiness, check-quorum and timeouts only    *)
(* forbid more.                                                             *)
(***************************************************************************)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
    Server,     \* all nodes that may become members
    None,       \* no node
    Bugs        \* rules that are left out, for `deno task tla --broken`

Min(a, b) == IF a < b THEN a ELSE b
Max(a, b) == IF a > b THEN a ELSE b

-----------------------------------------------------------------------------
(* Memberships: voters, outgoing voters of a joint one, learners, and       *)
(* outgoing voters that become learners (dissertation chapter 4).           *)

Membership(v, o, l, n) == [v |-> v, o |-> o, l |-> l, n |-> n]

NoMembership == Membership({}, {}, {}, {})

IsJoint(m) == m.o # {}

Voters(m) == m.v \cup m.o

IsMajority(agree, voters) == 2 * Cardinality(agree \cap voters) > Cardinality(voters)

(* A joint membership needs both majorities (section 4.3).                  *)
IsQuorum(m, agree) ==
    /\ IsMajority(agree, m.v)
    /\ \/ ~IsJoint(m)
       \/ IsMajority(agree, m.o)
       \/ "jointNeedsOneMajority" \in Bugs

(* The next membership on the way to a target: the target itself if at most *)
(* one voter comes or goes (section 4.1), or else the joint one.            *)
Transition(from, to) ==
    IF \/ Cardinality(to.v \ from.v) + Cardinality(from.v \ to.v) <= 1
       \/ "noJoint" \in Bugs
    THEN to
    ELSE Membership(to.v, from.v, to.l \ from.v, to.l \cap from.v)

Leave(m) == Membership(m.v, {}, m.l \cup m.n, {})

IsTarget(m) == m.v # {} /\ m.o = {} /\ m.n = {} /\ m.v \cap m.l = {}

-----------------------------------------------------------------------------
(* Logs.  `base` entries are compacted away, and baseTerm is the term of    *)
(* the last of them.  An entry has a term and, if it changes the            *)
(* membership, that.  Nodes, disks and leaderships all have these fields.   *)

Entry(t, m) == [t |-> t, m |-> m]

LastIndex(x) == x.base + Len(x.log)

Unknown == -1

TermAt(x, i) ==
    IF i = x.base THEN x.baseTerm
    ELSE IF i > x.base /\ i <= LastIndex(x) THEN x.log[i - x.base].t
    ELSE Unknown

LastTerm(x) == TermAt(x, LastIndex(x))

(* The entries after index i up to j.                                       *)
Entries(x, i, j) == SubSeq(x.log, i + 1 - x.base, j - x.base)

IsUpToDate(s, index, term) ==
    \/ term > LastTerm(s)
    \/ term = LastTerm(s) /\ index >= LastIndex(s)
    \/ "anyLogIsUpToDate" \in Bugs

NoSnapshot == [i |-> 0, t |-> 0, m |-> NoMembership]

-----------------------------------------------------------------------------
(* The history of memberships along a log: those since the snapshot, in     *)
(* force from the moment they are appended.                                 *)

Current(s) == s.confs[Len(s.confs)]
Previous(s) == s.confs[Max(1, Len(s.confs) - 1)]

RECURSIVE Appended(_, _, _)
(* The history after entries that begin at index i.                         *)
Appended(confs, i, entries) ==
    IF entries = <<>> THEN confs
    ELSE Appended(IF Head(entries).m = NoMembership THEN confs
                  ELSE Append(confs, [i |-> i, m |-> Head(entries).m]),
                  i + 1, Tail(entries))

RECURSIVE RolledBack(_, _)
(* The history before index i (rule 4).                                     *)
RolledBack(confs, i) ==
    IF Len(confs) > 1 /\ confs[Len(confs)].i >= i
    THEN RolledBack(SubSeq(confs, 1, Len(confs) - 1), i)
    ELSE confs

RECURSIVE Forgotten(_, _)
(* The history without what was replaced at or before index i.              *)
Forgotten(confs, i) ==
    IF Len(confs) > 1 /\ confs[2].i <= i THEN Forgotten(Tail(confs), i) ELSE confs

MembershipAt(s, i) == RolledBack(s.confs, i + 1)[Len(RolledBack(s.confs, i + 1))].m

-----------------------------------------------------------------------------
(* A node.  `led` is its last leadership as it ended, `cand` its last       *)
(* candidacy, and `proven` the last entry that the leader of each term has  *)
(* shown to be equal to its own: messages about them may leave a little     *)
(* later than the state has moved on.                                       *)

EmptyDisk ==
    [term |-> 0, vote |-> None, base |-> 0, baseTerm |-> 0, log |-> <<>>, snap |-> NoSnapshot]

NoLeadership == [term |-> 0, base |-> 0, baseTerm |-> 0, log |-> <<>>, commit |-> 0]

Nobody == [x \in Server |-> 0]

(* A node that starts with a disk.                                          *)
Started(me, disk) ==
    LET snap == disk.snap
        log == IF disk.base >= snap.i THEN disk.log
               ELSE SubSeq(disk.log, snap.i - disk.base + 1, Len(disk.log))
    IN  [me |-> me, up |-> TRUE, term |-> disk.term, vote |-> disk.vote, role |-> "follower",
         base |-> snap.i, baseTerm |-> snap.t, log |-> log, snap |-> snap, commit |-> snap.i,
         confs |-> Appended(<<[i |-> snap.i, m |-> snap.m]>>, snap.i + 1, log),
         votes |-> {}, match |-> Nobody, led |-> NoLeadership,
         cand |-> [term |-> 0, index |-> 0, logTerm |-> 0],
         proven |-> <<>>, offers |-> {}, installing |-> FALSE,
         disk |-> disk, writing |-> <<>>]

Stopped(s) == [Started(s.me, EmptyDisk) EXCEPT !.up = FALSE, !.disk = s.disk, !.writing = s.writing]

Proven(s, t) ==
    LET of == {k \in 1..Len(s.proven) : s.proven[k].term = t}
    IN  IF of = {} THEN 0 ELSE s.proven[CHOOSE k \in of : TRUE].last

(* Notes that the leader of this node's term t has entry i and all before.  *)
Prove(s, t, i) ==
    LET n == Len(s.proven)
    IN  IF n > 0 /\ s.proven[n].term = t
        THEN IF i <= s.proven[n].last THEN s ELSE [s EXCEPT !.proven[n].last = i]
        ELSE [s EXCEPT !.proven = Append(@, [term |-> t, last |-> i])]

RECURSIVE LastEqual(_, _, _)
LastEqual(x, y, i) ==
    IF i <= Max(x.base, y.base) \/ TermAt(x, i) = TermAt(y, i) THEN i ELSE LastEqual(x, y, i - 1)

(* The last entry that is on the disk as it is in memory.                   *)
Durable(s) == LastEqual(s, s.disk, Min(LastIndex(s), LastIndex(s.disk)))

VoteIsDurable(s) == s.disk.term = s.term /\ s.disk.vote = s.vote

CommittedInTerm(s) == s.role = "leader" /\ TermAt(s, s.commit) = s.term

-----------------------------------------------------------------------------
(* Roles (section 5.1).                                                     *)

LeadershipOf(s) ==
    [term |-> s.term, base |-> s.base, baseTerm |-> s.baseTerm, log |-> s.log, commit |-> s.commit]

(* Becomes or stays a follower; a newer term clears the vote.               *)
Follower(s, term) ==
    [s EXCEPT !.term = Max(@, term), !.vote = IF term > s.term THEN None ELSE @,
              !.role = "follower", !.votes = {}, !.match = Nobody,
              !.led = IF s.role = "leader" THEN LeadershipOf(s) ELSE @]

(* A node that just lost its vote may campaign until that has committed     *)
(* (section 4.2.2); never while its vote or a snapshot is not on disk.      *)
MayCampaign(s) ==
    /\ s.up /\ s.role # "leader"
    /\ \/ s.me \in Voters(Current(s).m)
       \/ Current(s).i > s.commit /\ s.me \in Voters(Previous(s).m)
    /\ VoteIsDurable(s) /\ ~s.installing

PreCandidate(s) == [s EXCEPT !.role = "preCandidate", !.votes = {}]

Candidate(s) ==
    [s EXCEPT !.term = @ + 1, !.vote = s.me, !.role = "candidate", !.votes = {},
              !.cand = [term |-> s.term + 1, index |-> LastIndex(s), logTerm |-> LastTerm(s)]]

AppendAsLeader(s, entries) ==
    [s EXCEPT !.log = @ \o entries, !.confs = Appended(@, LastIndex(s) + 1, entries)]

(* The empty entry of its term comes with the leadership (section 8).       *)
Leader(s) ==
    AppendAsLeader([s EXCEPT !.role = "leader", !.votes = {}, !.match = Nobody],
                   <<Entry(s.term, NoMembership)>>)

(* Counts a vote, and acts on a quorum.  A pre-candidate becomes candidate  *)
(* (section 9.6); a candidate leads once its own vote is durable.           *)
CountVote(s, from) ==
    LET t == [s EXCEPT !.votes = @ \cup {from}]
    IN  IF ~IsQuorum(Current(s).m, t.votes) THEN t
        ELSE IF s.role = "preCandidate" THEN Candidate(t)
        ELSE IF VoteIsDurable(s) THEN Leader(t)
        ELSE t

(* A campaign begins with a pre-vote; the only voter needs no other.        *)
PreCampaign(s) == CountVote(PreCandidate(s), s.me)

-----------------------------------------------------------------------------
(* Commitment (sections 5.3, 5.4.2).                                        *)

Holders(s, i) == {x \in Server : s.match[x] >= i} \cup (IF Durable(s) >= i THEN {s.me} ELSE {})

MayCommit(s, i) ==
    /\ s.role = "leader" /\ i > s.commit /\ i <= LastIndex(s)
    /\ TermAt(s, i) = s.term \/ "commitsOldTerms" \in Bugs
    /\ IsQuorum(Current(s).m, Holders(s, i))

(* A leader that commits a joint membership appends the leave (4.3).        *)
Commit(s, i) ==
    LET t == [s EXCEPT !.commit = i]
    IN  IF IsJoint(Current(t).m) /\ Current(t).i <= i /\ CommittedInTerm(t)
        THEN AppendAsLeader(t, <<Entry(t.term, Leave(Current(t).m))>>)
        ELSE t

(* Rule 1: one uncommitted change at a time, and none before an entry of    *)
(* the leader's own term has committed.                                     *)
MayChange(s, target) ==
    /\ s.role = "leader" /\ IsTarget(target)
    /\ Current(s).i <= s.commit \/ "twoChangesAtATime" \in Bugs
    /\ ~IsJoint(Current(s).m)
    /\ CommittedInTerm(s) \/ "changesBeforeOwnCommit" \in Bugs
    /\ target # Current(s).m

Change(s, target) ==
    AppendAsLeader(s, <<Entry(s.term, Transition(Current(s).m, target))>>)

-----------------------------------------------------------------------------
(* Messages.  Each handler gives the set of states that may follow.         *)

(* A vote request (5.2, 5.4.1) may be ignored: a leader may be alive.       *)
OnRequestVote(s, from, m) ==
    LET t == IF m.term > s.term THEN Follower(s, m.term) ELSE s
        grants == /\ t.vote \in {None, from} \/ "votesTwice" \in Bugs
                  /\ IsUpToDate(t, m.index, m.logTerm)
    IN  {s} \cup IF m.pre \/ m.term < s.term THEN {}
                 ELSE {IF grants THEN [t EXCEPT !.vote = from] ELSE t}

(* A granted pre-vote carries the proposed term, which no node has yet.     *)
OnVote(s, from, m) ==
    IF m.term > s.term /\ ~(m.pre /\ m.granted) THEN {Follower(s, m.term)}
    ELSE IF ~m.granted THEN
        {s} \cup IF s.role \in {"preCandidate", "candidate"} THEN {Follower(s, s.term)} ELSE {}
    ELSE IF /\ from \in Voters(Current(s).m)
            /\ IF m.pre THEN s.role = "preCandidate" /\ m.term = s.term + 1
               ELSE s.role = "candidate" /\ m.term = s.term
    THEN {CountVote(s, from)}
    ELSE {s}

FirstMissing(s, m) ==
    LET differs == {k \in 1..Len(m.entries) :
                        m.prev + k > s.base /\ TermAt(s, m.prev + k) # m.entries[k].t}
    IN  IF differs = {} THEN 0 ELSE CHOOSE k \in differs : \A j \in differs : k <= j

(* Entries from a leader (figure 2, AppendEntries; rule 5).  A message that *)
(* contradicts committed entries is refused.                                *)
OnAppend(s, m) ==
    IF m.term < s.term THEN {s}
    ELSE IF s.role = "leader" /\ m.term = s.term THEN {}
    ELSE
    LET t == IF m.term > s.term \/ s.role # "follower" THEN Follower(s, m.term) ELSE s
        matches == \/ m.prev <= t.commit
                   \/ TermAt(t, m.prev) = m.prevTerm
                   \/ "noPrevCheck" \in Bugs /\ m.prev <= LastIndex(t) /\ m.prev >= t.base
        k == FirstMissing(t, m)
        i == m.prev + k
        grown == IF k = 0 THEN t
                 ELSE [t EXCEPT !.log = Entries(t, t.base, i - 1) \o SubSeq(m.entries, k, Len(m.entries)),
                                !.confs = Appended(RolledBack(@, i), i, SubSeq(m.entries, k, Len(m.entries)))]
        last == m.prev + Len(m.entries)
    IN  IF ~matches THEN {t}
        ELSE IF k > 0 /\ i <= t.commit THEN {s}
        ELSE {Prove([grown EXCEPT !.commit = Max(@, Min(m.commit, last))], m.term, last)}

(* An acknowledgement: the sender's disk equals this leader's log so far.   *)
OnAcknowledgement(s, from, m) ==
    IF m.term > s.term THEN {Follower(s, m.term)}
    ELSE IF s.role = "leader" /\ m.term = s.term /\ m.match <= LastIndex(s)
    THEN {[s EXCEPT !.match[from] = Max(@, m.match)]}
    ELSE {s}

(* A part of a snapshot (section 7): commits what the log has of it; its    *)
(* bytes are offered for a later installation.                              *)
OnSnapshot(s, m) ==
    IF m.term < s.term THEN {s}
    ELSE IF s.role = "leader" /\ m.term = s.term THEN {}
    ELSE
    LET t == IF m.term > s.term \/ s.role # "follower" THEN Follower(s, m.term) ELSE s
        u == [t EXCEPT !.offers = @ \cup {m.snap}]
        v == IF TermAt(t, m.snap.i) = m.snap.t THEN [u EXCEPT !.commit = Max(@, m.snap.i)] ELSE u
    IN  {IF m.snap.i <= v.commit THEN Prove(v, m.term, v.commit) ELSE v}

OnTimeoutNow(s, m) ==
    IF m.term = s.term /\ s.role = "follower" /\ MayCampaign(s) THEN {s, Candidate(s)} ELSE {s}

-----------------------------------------------------------------------------
(* Snapshots (section 7).                                                   *)

(* Installs an offered snapshot, unless the log has its last entry by now   *)
(* or it is not newer than the commit index.                                *)
Install(s, snap) ==
    IF s.role # "follower" \/ s.installing THEN s
    ELSE IF TermAt(s, snap.i) = snap.t
    THEN LET c == Max(s.commit, snap.i) IN Prove([s EXCEPT !.commit = c], s.term, c)
    ELSE IF snap.i <= s.commit
    THEN Prove(s, s.term, s.commit)
    ELSE Prove([s EXCEPT !.base = snap.i, !.baseTerm = snap.t, !.log = <<>>, !.snap = snap,
                         !.commit = snap.i, !.confs = <<[i |-> snap.i, m |-> snap.m]>>,
                         !.installing = TRUE], s.term, snap.i)

(* A snapshot of the node's own state at index i.                           *)
OwnSnapshot(s, i) == [i |-> i, t |-> TermAt(s, i), m |-> MembershipAt(s, i)]

MayTake(s, snap) ==
    /\ s.up /\ ~s.installing
    /\ snap.i > s.snap.i /\ snap.i <= s.commit /\ snap.i >= s.base
    /\ snap = OwnSnapshot(s, snap.i)

Taken(s, snap) ==
    IF snap.i <= s.snap.i THEN s ELSE [s EXCEPT !.snap = snap, !.confs = Forgotten(@, snap.i)]

Compacted(s, i) ==
    LET to == Min(i, s.snap.i)
    IN  IF to <= s.base THEN s
        ELSE [s EXCEPT !.base = to, !.baseTerm = TermAt(s, to), !.log = Entries(s, to, LastIndex(s))]

-----------------------------------------------------------------------------
(* Writes.                                                                  *)

(* A disk after a batch: term and vote, a snapshot that replaces the log    *)
(* unless that has its last entry, and entries from index `first` on.       *)
WithBatch(disk, term, vote, snap, first, entries) ==
    LET a == [disk EXCEPT !.term = term, !.vote = vote]
        b == IF snap = NoSnapshot THEN a
             ELSE IF TermAt(a, snap.i) = snap.t
             THEN [a EXCEPT !.snap = snap, !.base = snap.i, !.baseTerm = snap.t,
                            !.log = Entries(a, snap.i, LastIndex(a))]
             ELSE [a EXCEPT !.snap = snap, !.base = snap.i, !.baseTerm = snap.t, !.log = <<>>]
    IN  IF entries = <<>> THEN b
        ELSE [b EXCEPT !.log = Entries(b, b.base, first - 1) \o entries]

FitsDisk(disk, snap, first, entries) ==
    entries # <<>> =>
        LET d == WithBatch(disk, 0, None, snap, 0, <<>>)
        IN  first > d.base /\ first <= LastIndex(d) + 1

(* A batch of the core has everything that is not on disk.                  *)
Unwritten(s) ==
    WithBatch(s.disk, s.term, s.vote, IF s.installing THEN s.snap ELSE NoSnapshot, Durable(s) + 1,
              Entries(s, Max(Durable(s), s.base), LastIndex(s)))

IsWritten(s) == VoteIsDurable(s) /\ ~s.installing /\ Durable(s) = LastIndex(s)

Writing(s, disk) == [s EXCEPT !.writing = <<disk>>]

Written(s) == [s EXCEPT !.disk = s.writing[1], !.writing = <<>>]

WriteFailed(s) == [s EXCEPT !.writing = <<>>]

(* The core is told that its batch is on disk: its own vote counts now.     *)
Persisted(s) ==
    LET t == [s EXCEPT !.installing = @ /\ s.disk.snap.i < s.snap.i]
    IN  IF s.role = "candidate" /\ VoteIsDurable(s) THEN CountVote(t, s.me) ELSE t

(* A leader that can't write is cut back to its disk and steps down.        *)
CutBack(s) ==
    LET d == Durable(s)
        t == Follower(s, s.term)
    IN  [t EXCEPT !.log = Entries(s, s.base, d), !.confs = RolledBack(@, d + 1), !.commit = Min(@, d)]

-----------------------------------------------------------------------------
(* What a node may send: nothing that is not on its disk (figure 2).        *)

(* The leadership that a message of this term speaks for.                   *)
Leadership(s, term) == IF s.role = "leader" /\ s.term = term THEN LeadershipOf(s) ELSE s.led

MaySend(s, to, m) ==
    CASE m.type = "RequestVote" ->
            \/ m.pre /\ m.term <= s.term + 1
            \/ /\ ~m.pre
               /\ m.term = s.cand.term /\ m.index = s.cand.index /\ m.logTerm = s.cand.logTerm
               /\ s.disk.term = m.term /\ s.disk.vote = s.me
      [] m.type = "Vote" ->
            IF m.granted
            THEN m.pre \/ (s.disk.term = m.term /\ s.disk.vote = to)
            ELSE m.term <= s.disk.term
      [] m.type = "Append" ->
            LET lead == Leadership(s, m.term)
            IN  /\ lead.term = m.term /\ m.commit <= lead.commit
                /\ \/ m.prev = 0 /\ m.prevTerm = 0
                   \/ m.prev < lead.base
                   \/ TermAt(lead, m.prev) = m.prevTerm
                /\ \A k \in 1..Len(m.entries) :
                      m.prev + k > lead.base =>
                          /\ m.prev + k <= LastIndex(lead)
                          /\ lead.log[m.prev + k - lead.base] = m.entries[k]
      [] m.type = "Acknowledgement" ->
            /\ m.term <= s.disk.term
            /\ m.match > 0 =>
                 IF m.term = s.term
                 THEN m.match <= Max(Proven(s, m.term), s.commit) /\ m.match <= Durable(s)
                 ELSE m.match <= Proven(s, m.term) /\ m.match <= LastIndex(s.disk)
      [] m.type = "Snapshot" ->
            LET lead == Leadership(s, m.term) IN lead.term = m.term /\ m.snap.i <= lead.commit
      [] m.type = "TimeoutNow" -> Leadership(s, m.term).term = m.term
=============================================================================
