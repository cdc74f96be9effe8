-------------------------------- MODULE Raft --------------------------------
(***************************************************************************)
(* A cluster of the nodes of RaftNode, small enough for the model checker,  *)
(* with the properties of figure 3 of the paper as invariants.              *)
(*                                                                          *)
(* Messages are facts: whatever a node may send it has sent, at once, and   *)
(* it stays there for ever.  Loss, delay, reordering and repetition follow, *)
(* since no message has to be received.  What would only add states is left *)
(* out:                                                                     *)
(* - Heartbeats, since an AppendEntries with the last entry says the same;  *)
(*   and messages with several entries, since several do the same.          *)
(* - The arrival of single acknowledgements and votes.  They only ever      *)
(*   enable something, so a leader counts all that were sent when it        *)
(*   commits, and a candidate when it wins.                                 *)
(* - Stepping down: a leader that does nothing until it campaigns again is  *)
(*   no different.                                                          *)
(***************************************************************************)
EXTENDS RaftNode

CONSTANTS
    First,          \* the first membership
    Targets,        \* memberships that an operator may ask for
    Candidates,     \* the nodes that may campaign
    MaxCampaigns,   \* the most campaigns
    MaxIndex,       \* the last index at which a leader begins an entry or a change
    MaxProposals,   \* the most commands
    MaxChanges,     \* the most changes of the membership
    MaxCrashes,     \* the most crashes, and failed writes
    MaxSnapshots,   \* the most snapshots that nodes take
    Instant         \* TRUE: a write is one step with its cause.  FALSE: it takes time

VARIABLES
    nodes, messages,
    committed,      \* history: the entries that were committed, and in which term first
    left            \* what may still happen

vars == <<nodes, messages, committed, left>>

-----------------------------------------------------------------------------
(* The messages that a node may send in a state.                            *)

VoteRequests(s) ==
    IF s.role = "candidate" /\ (VoteIsDurable(s) \/ "sendsBeforeDurable" \in Bugs)
    THEN {[type |-> "RequestVote", from |-> s.me, term |-> s.term, pre |-> FALSE,
           index |-> s.cand.index, logTerm |-> s.cand.logTerm]}
    ELSE {}

Votes(s) ==
    LET d == IF "sendsBeforeDurable" \in Bugs THEN s ELSE s.disk
    IN  IF d.vote \in {None, s.me} \/ d.term # s.term THEN {}
        ELSE {[type |-> "Vote", from |-> s.me, to |-> d.vote, term |-> d.term,
               pre |-> FALSE, granted |-> TRUE]}

Appends(s) ==
    IF s.role # "leader" THEN {}
    ELSE {[type |-> "Append", from |-> s.me, term |-> s.term, prev |-> i - 1,
           prevTerm |-> TermAt(s, i - 1), commit |-> Min(s.commit, i),
           entries |-> Entries(s, i - 1, i)] : i \in s.base + 1..LastIndex(s)}

Acknowledgements(s) ==
    LET proven == Max(Proven(s, s.term), IF s.proven = <<>> THEN 0 ELSE s.commit)
        match == IF "sendsBeforeDurable" \in Bugs THEN Min(proven, LastIndex(s)) ELSE Min(proven, Durable(s))
    IN  IF s.role = "leader" \/ match = 0 \/ s.disk.term # s.term THEN {}
        ELSE {[type |-> "Acknowledgement", from |-> s.me, term |-> s.term, match |-> match]}

Snapshots(s) ==
    IF s.role # "leader" \/ s.snap = NoSnapshot THEN {}
    ELSE {[type |-> "Snapshot", from |-> s.me, term |-> s.term, snap |-> s.snap]}

Sent(s) ==
    IF ~s.up THEN {}
    ELSE VoteRequests(s) \cup Votes(s) \cup Appends(s) \cup Acknowledgements(s) \cup Snapshots(s)

-----------------------------------------------------------------------------
(* Steps.                                                                   *)

Flushed(s) ==
    IF ~Instant \/ ~s.up \/ IsWritten(s) THEN s
    ELSE Persisted(Written(Writing(s, Unwritten(s))))

(* What messages have left for is forgotten: they left at once.             *)
Tidy(s) ==
    [s EXCEPT !.led = NoLeadership, !.offers = {},
              !.cand = IF s.role = "candidate" THEN @ ELSE [term |-> 0, index |-> 0, logTerm |-> 0],
              !.proven = IF Proven(s, s.term) = 0 THEN <<>>
                         ELSE <<[term |-> s.term, last |-> Proven(s, s.term)]>>]

(* The messages without those that others make superfluous: a leader that   *)
(* has an acknowledgement needs none of less.                               *)
Needed(set) ==
    {m \in set : m.type = "Acknowledgement" =>
        ~\E x \in set : x.type = m.type /\ x.from = m.from /\ x.term = m.term /\ x.match > m.match}

IsKnown(i, t) == \E c \in committed : c.index = i /\ c.term = t

(* A node becomes t; history and messages follow.                           *)
Becomes(n, t) ==
    LET u == Tidy(Flushed(Flushed(t)))
    IN  /\ nodes' = [nodes EXCEPT ![n] = u]
        /\ messages' = Needed(messages \cup Sent(u))
        /\ committed' = committed \cup
              {[index |-> i, term |-> TermAt(u, i), by |-> u.term] :
                  i \in {j \in Max(u.base, nodes[n].commit) + 1..u.commit : ~IsKnown(j, TermAt(u, j))}}

Free(n, t) == Becomes(n, t) /\ UNCHANGED left

Costs(n, t, what) ==
    /\ left[what] > 0
    /\ Becomes(n, t)
    /\ left' = [left EXCEPT ![what] = @ - 1]

Receives(s, m) ==
    CASE m.type = "RequestVote" -> OnRequestVote(s, m.from, m)
      [] m.type = "Append" -> OnAppend(s, m)
      [] m.type = "Snapshot" -> OnSnapshot(s, m)

Receive(n) ==
    \E m \in messages :
        /\ m.type \in {"RequestVote", "Append", "Snapshot"} /\ m.from # n /\ m.term >= nodes[n].term
        /\ \E t \in Receives(nodes[n], m) : t # nodes[n] /\ Free(n, t)

(* Its bytes may be complete only when the term has moved on.               *)
InstallOne(n) ==
    \E m \in messages :
        /\ m.type = "Snapshot" /\ m.from # n /\ m.term <= nodes[n].term
        /\ LET t == Install(nodes[n], m.snap) IN t # nodes[n] /\ Free(n, t)

(* Pre-votes are left out: they only forbid campaigns.                      *)
Campaign(n) ==
    LET s == Follower(nodes[n], nodes[n].term)
    IN  n \in Candidates /\ MayCampaign(s) /\ LastIndex(s) < MaxIndex /\ Costs(n, Candidate(s), "campaigns")

RECURSIVE CountVotes(_, _)
CountVotes(s, voters) ==
    IF voters = {} \/ s.role # "candidate" THEN s
    ELSE LET v == CHOOSE v \in voters : TRUE IN CountVotes(CountVote(s, v), voters \ {v})

Win(n) ==
    LET s == nodes[n]
        voters == {v \in Voters(Current(s).m) :
                      \E m \in messages : m.type = "Vote" /\ m.from = v /\ m.to = n /\ m.term = s.term}
        t == CountVotes(s, voters)
    IN  s.role = "candidate" /\ t.role = "leader" /\ Free(n, t)

Propose(n) ==
    LET s == nodes[n]
    IN  /\ s.role = "leader" /\ LastIndex(s) < MaxIndex
        /\ Costs(n, AppendAsLeader(s, <<Entry(s.term, NoMembership)>>), "proposals")

ChangeTo(n) ==
    LET s == nodes[n]
    IN  /\ LastIndex(s) < MaxIndex
        /\ \E target \in Targets : MayChange(s, target) /\ Costs(n, Change(s, target), "changes")

Acknowledged(s, from) ==
    LET of == {m \in messages : m.type = "Acknowledgement" /\ m.from = from /\ m.term = s.term}
    IN  IF of = {} THEN 0 ELSE (CHOOSE m \in of : TRUE).match

CommitOne(n) ==
    LET s == nodes[n]
        t == [s EXCEPT !.match = [x \in Server |-> Acknowledged(s, x)]]
    IN  s.role = "leader" /\
        \E i \in s.commit + 1..LastIndex(s) :
            MayCommit(t, i) /\ Free(n, [Commit(t, i) EXCEPT !.match = Nobody])

BeginWrite(n) ==
    LET s == nodes[n]
    IN  /\ ~Instant /\ s.up /\ s.writing = <<>> /\ ~IsWritten(s)
        /\ Free(n, Writing(s, Unwritten(s)))

EndWrite(n) ==
    /\ ~Instant /\ nodes[n].up /\ nodes[n].writing # <<>>
    /\ Free(n, Persisted(Written(nodes[n])))

FailWrite(n) ==
    LET s == nodes[n]
    IN  /\ s.role = "leader" /\ s.writing # <<>>
        /\ s.writing[1].term = s.disk.term /\ s.writing[1].vote = s.disk.vote
        /\ Costs(n, IF "cutBackKeepsLeading" \in Bugs
                    THEN [CutBack(WriteFailed(s)) EXCEPT !.role = "leader", !.match = s.match]
                    ELSE CutBack(WriteFailed(s)), "crashes")

(* A process ends and starts again, with the disk before or after its write *)
CrashAndStart(n) ==
    LET s == nodes[n]
    IN  \E disk \in {s.disk} \cup {s.writing[k] : k \in 1..Len(s.writing)} :
            Costs(n, Started(n, disk), "crashes")

(* A snapshot of the node's own state, and the log compacted behind it.     *)
Snapshot(n) ==
    LET s == nodes[n]
    IN  \E i \in s.snap.i + 1..s.commit :
            LET snap == OwnSnapshot(s, i)
            IN  /\ s.writing = <<>> /\ i <= Durable(s) /\ MayTake(s, snap)
                /\ Costs(n, Compacted(Taken([s EXCEPT !.disk =
                       WithBatch(s.disk, s.disk.term, s.disk.vote, snap, 0, <<>>)], snap), i), "snapshots")

Next ==
    \E n \in Server :
        \/ Receive(n) \/ InstallOne(n) \/ Campaign(n) \/ Win(n) \/ Propose(n) \/ ChangeTo(n)
        \/ CommitOne(n) \/ BeginWrite(n) \/ EndWrite(n) \/ FailWrite(n) \/ CrashAndStart(n) \/ Snapshot(n)

(* Members begin with the first membership on their disks, others with      *)
(* nothing.                                                                 *)
FirstDisk(n) ==
    IF n \in Voters(First)
    THEN WithBatch(EmptyDisk, 1, None, NoSnapshot, 1, <<Entry(1, First)>>)
    ELSE EmptyDisk

Init ==
    /\ nodes = [n \in Server |-> Started(n, FirstDisk(n))]
    /\ messages = {} /\ committed = {}
    /\ left = [campaigns |-> MaxCampaigns, proposals |-> MaxProposals, changes |-> MaxChanges, crashes |-> MaxCrashes, snapshots |-> MaxSnapshots]

Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Figure 3.                                                                *)

(* A leader's first entry is a message at once, so that none is forgotten.  *)
ElectionSafety ==
    \A a, b \in messages :
        (a.type = "Append" /\ b.type = "Append" /\ a.term = b.term) => a.from = b.from

LeaderAppendOnly ==
    [][\A n \in Server :
        LET s == nodes[n]
            t == nodes'[n]
        IN  (s.role = "leader" /\ t.role = "leader" /\ s.term = t.term) =>
                /\ LastIndex(t) >= LastIndex(s)
                /\ \A i \in t.base + 1..LastIndex(s) : t.log[i - t.base] = s.log[i - s.base]]_vars

LogMatching ==
    \A a, b \in Server :
        LET s == nodes[a]
            t == nodes[b]
            from == Max(s.base, t.base)
            to == Min(LastIndex(s), LastIndex(t))
        IN  \A i \in from + 1..to :
                TermAt(s, i) = TermAt(t, i) =>
                    \A j \in from + 1..i : s.log[j - s.base] = t.log[j - t.base]

LeaderCompleteness ==
    \A n \in Server :
        LET s == nodes[n]
        IN  s.role = "leader" =>
                \A c \in committed : c.by < s.term => c.index < s.base \/ TermAt(s, c.index) = c.term

StateMachineSafety ==
    \A a, b \in committed : a.index = b.index => a.term = b.term

(* RaftTrace judges messages by MaySend: whatever is sent here passes.      *)
SendsWhatItMay ==
    \A n \in Server :
        LET s == nodes[n]
        IN  \A m \in Sent(s) : MaySend(s, IF m.type = "Vote" THEN m.to ELSE None, m)
=============================================================================
