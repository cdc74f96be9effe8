----------------------------- MODULE RaftTrace ------------------------------
(***************************************************************************)
(* Replays traces of real nodes, as `deno task simulate --trace` writes     *)
(* them and tools/tla converts them: each event has to be a step that       *)
(* RaftNode allows, and to end in the state that the event shows.           *)
(*                                                                          *)
(* A trace is a sequence of events <<kind, node, shown, ...>>; `shown` is   *)
(* the node's state afterwards, or <<>> if it is the same as before.  All   *)
(* traces of a module are checked in one run: the initial states choose one *)
(* each.  A trace ends as accepted, or as refused with the event's index.   *)
(***************************************************************************)
EXTENDS RaftNode, TLC

CONSTANT Traces     \* of records: events, their numbers in the file, and memberships by number

VARIABLES trace, at, nodes, snapshots, leaders, committed

vars == <<trace, at, nodes, snapshots, leaders, committed>>

(* The position says it all: the rest follows from it.                      *)
View == <<trace, at>>

Members(k) == IF k = 0 THEN NoMembership ELSE Traces[trace].memberships[k]

(* Entries are written as <<term>>, or <<term, number of a membership>>.    *)
EntriesOf(list) == <<>> \o [k \in 1..Len(list) |->
    Entry(list[k][1], IF Len(list[k]) = 1 THEN NoMembership ELSE Members(list[k][2]))]

SnapshotOf(list) ==
    IF list = <<>> THEN NoSnapshot ELSE [i |-> list[1], t |-> list[2], m |-> Members(list[3])]

(* A message is written as <<type, receiver, term, ...>>.                   *)
MessageOf(from, list) ==
    LET type == list[1]
        to == list[2]
        term == list[3]
    IN  CASE type = "RequestVote" ->
                [type |-> type, from |-> from, to |-> to, term |-> term,
                 pre |-> list[4], index |-> list[5], logTerm |-> list[6]]
          [] type = "Vote" ->
                [type |-> type, from |-> from, to |-> to, term |-> term, pre |-> list[4], granted |-> list[5]]
          [] type = "Append" ->
                [type |-> type, from |-> from, to |-> to, term |-> term,
                 prev |-> list[4], prevTerm |-> list[5], commit |-> list[6], entries |-> EntriesOf(list[7])]
          [] type = "Acknowledgement" ->
                [type |-> type, from |-> from, to |-> to, term |-> term, match |-> list[4]]
          [] type = "Snapshot" ->
                [type |-> type, from |-> from, to |-> to, term |-> term, snap |-> SnapshotOf(list[4])]
          [] type = "TimeoutNow" -> [type |-> type, from |-> from, to |-> to, term |-> term]

Event == Traces[trace].events[at]

(* A message that arrives is named by the event that sent it, and its       *)
(* position there: it may arrive at any time later, more than once, or      *)
(* never.                                                                   *)
WasSent(j, position, to) ==
    /\ 0 < j /\ j < at
    /\ LET sent == Traces[trace].events[j]
       IN  sent[1] = "send" /\ position <= Len(sent[4]) /\ sent[4][position][2] = to

SentMessage(j, position) ==
    LET sent == Traces[trace].events[j] IN MessageOf(sent[2], sent[4][position])

(* What an event shows of a node.                                           *)
Shown(s) ==
    <<s.term, s.vote, s.role, s.commit, s.base, LastIndex(s), LastTerm(s), s.snap.i, Current(s).m>>

ShownOf(list) == [list EXCEPT ![9] = Members(@)]

-----------------------------------------------------------------------------
(* The states that may follow an event of a node.                           *)

(* A leader may commit what has a quorum when it learns something.          *)
ThenCommit(set, shown) ==
    UNION {IF shown # <<>> /\ shown[4] # s.commit /\ MayCommit(s, shown[4]) THEN {Commit(s, shown[4])} ELSE {s} : s \in set}

OnReceive(s, m, shown) ==
    CASE m.type = "RequestVote" -> OnRequestVote(s, m.from, m)
      [] m.type = "Vote" -> OnVote(s, m.from, m)
      [] m.type = "Append" -> OnAppend(s, m)
      [] m.type = "Acknowledgement" -> ThenCommit(OnAcknowledgement(s, m.from, m), shown)
      [] m.type = "Snapshot" -> OnSnapshot(s, m)
      [] m.type = "TimeoutNow" -> OnTimeoutNow(s, m)

(* The first membership, on the disks of those that it names.               *)
IsBootstrap(s, e) ==
    /\ ~s.up /\ s.disk = EmptyDisk
    /\ e[4] = <<1, None>> /\ e[6] = 1 /\ EntriesOf(e[7]) = <<Entry(1, Members(1))>>

OnWrite(s, e) ==
    LET term == IF e[4] = <<>> THEN s.disk.term ELSE e[4][1]
        vote == IF e[4] = <<>> THEN s.disk.vote ELSE e[4][2]
        snap == SnapshotOf(e[5])
        entries == EntriesOf(e[7])
        disk == WithBatch(s.disk, term, vote, snap, e[6], entries)
        own == s.up /\ ~s.installing /\ snap # NoSnapshot /\ e[4] = <<>> /\ entries = <<>>
    IN  IF ~FitsDisk(s.disk, snap, e[6], entries) \/ s.writing # <<>> THEN {}
        ELSE IF own THEN IF MayTake(s, snap) THEN {Writing(s, disk)} ELSE {}
        ELSE IF IsBootstrap(s, e) THEN {Writing(s, disk)}
        ELSE IF /\ s.up /\ term = s.term /\ vote = s.vote
                /\ s.installing => snap = s.snap
                /\ LastIndex(disk) >= LastIndex(s)
                /\ LastEqual(s, disk, LastIndex(s)) = LastIndex(s)
        THEN {Writing(s, disk)}
        ELSE {}

(* A crash leaves the disk before or after the write under way.             *)
OnLoad(s, e) ==
    {[s EXCEPT !.disk = d, !.writing = <<>>] : d \in
        {d \in {s.disk} \cup {s.writing[k] : k \in 1..Len(s.writing)} :
            /\ d.term = e[4] /\ d.vote = e[5] /\ d.snap = SnapshotOf(e[6])
            /\ LastIndex(d) = e[7] /\ LastTerm(d) = e[8]}}

After(s, e, shown) ==
    LET kind == e[1]
    IN  CASE kind = "load" -> IF s.up THEN {} ELSE OnLoad(s, e)
          [] kind = "start" -> IF s.up THEN {} ELSE {Started(s.me, s.disk)}
          [] kind = "end" -> IF s.up THEN {Stopped(s)} ELSE {}
          [] kind = "write" -> OnWrite(s, e)
          [] kind = "written" -> IF s.writing = <<>> THEN {} ELSE {Written(s)}
          [] kind = "writeFailed" -> IF s.writing = <<>> THEN {} ELSE {WriteFailed(s)}
          [] ~s.up -> {}
          [] kind = "tick" ->
                {s} \cup (IF MayCampaign(s) THEN {PreCampaign(s)} ELSE {})
                    \cup (IF s.role = "leader" THEN {Follower(s, s.term)} ELSE {})
          [] kind = "receive" ->
                IF WasSent(e[4], e[5], s.me) THEN OnReceive(s, SentMessage(e[4], e[5]), shown) ELSE {}
          [] kind = "refused" -> {s}
          [] kind = "propose" ->
                IF s.role # "leader" THEN {}
                ELSE {AppendAsLeader(s, [k \in 1..e[4] |-> Entry(s.term, NoMembership)])}
          [] kind = "changeMembership" ->
                IF MayChange(s, Members(e[4])) THEN {Change(s, Members(e[4]))} ELSE {}
          [] kind = "stepDown" -> {s, Follower(s, s.term)}
          [] kind = "persisted" -> ThenCommit({Persisted(s)}, shown)
          [] kind = "persistFailed" -> {s} \cup (IF s.role = "leader" THEN {CutBack(s)} ELSE {})
          [] kind = "snapshotTaken" ->
                IF s.disk.snap = SnapshotOf(e[4]) \/ SnapshotOf(e[4]).i < s.disk.snap.i
                THEN {Taken(s, SnapshotOf(e[4]))} ELSE {}
          [] kind = "compact" -> {Compacted(s, e[4])}
          [] kind = "installSnapshot" ->
                IF SnapshotOf(e[4]) \in s.offers THEN {Install(s, SnapshotOf(e[4]))} ELSE {}
          \* A removed leader steps down when its last messages have left (section 4.2.2).
          [] kind = "send" ->
                {s} \cup IF s.role = "leader" /\ s.me \notin Voters(Current(s).m) THEN {Follower(s, s.term)} ELSE {}

-----------------------------------------------------------------------------
(* Properties of figure 3 that need all nodes.                              *)

ElectionSafety(s, t) ==
    (t.role = "leader" /\ (s.role # "leader" \/ s.term # t.term)) => t.term \notin DOMAIN leaders

StateMachineSafety(s, t) ==
    \A i \in Max(s.commit, t.base) + 1..t.commit : i <= Len(committed) => committed[i] = TermAt(t, i)

(* A node that starts again, or has installed a snapshot, commits nothing   *)
(* that is new.                                                             *)
NewlyCommitted(s, t) ==
    IF t.commit <= Len(committed) THEN committed
    ELSE IF t.base > Len(committed) THEN committed
    ELSE committed \o [k \in 1..t.commit - Len(committed) |-> TermAt(t, Len(committed) + k)]

Outgoing(e) == IF e[1] = "send" THEN e[4] ELSE <<>>

MaySendAll(s, t, e) ==
    \A k \in 1..Len(Outgoing(e)) :
        LET m == MessageOf(s.me, Outgoing(e)[k])
        IN  /\ MaySend(IF s.role = "leader" THEN s ELSE t, m.to, m)
            /\ m.type = "Snapshot" => m.snap \in snapshots

Allowed(e) ==
    LET s == nodes[e[2]]
        shown == IF e[3] = <<>> THEN <<>> ELSE ShownOf(e[3])
        visible == IF shown = <<>> THEN Shown(s) ELSE shown
    IN  {t \in After(s, e, shown) :
            /\ t.up => Shown(t) = visible
            /\ ElectionSafety(s, t) /\ StateMachineSafety(s, t)
            /\ MaySendAll(s, t, e)}

Init ==
    /\ trace \in 1..Len(Traces)
    /\ at = 1
    /\ nodes = [x \in Server |-> [Started(x, EmptyDisk) EXCEPT !.up = FALSE]]
    /\ snapshots = {} /\ committed = <<>>
    /\ leaders = <<>>

Accept(e, t) ==
    LET s == nodes[e[2]]
    IN  /\ nodes' = [nodes EXCEPT ![e[2]] = t]
        /\ at' = at + 1
        /\ snapshots' = IF e[1] = "snapshotTaken" THEN snapshots \cup {t.snap} ELSE snapshots
        /\ leaders' = IF t.role = "leader" /\ t.term \notin DOMAIN leaders
                      THEN (t.term :> t.me) @@ leaders ELSE leaders
        /\ committed' = NewlyCommitted(s, t)
        /\ UNCHANGED trace

Next ==
    /\ at <= Len(Traces[trace].events)
    /\ LET allowed == Allowed(Event)
       IN  IF allowed # {}
           THEN \E t \in allowed :
                    /\ Accept(Event, t)
                    /\ at = Len(Traces[trace].events) => PrintT(<<"accepted", trace, at>>)
           ELSE /\ PrintT(<<"refused", trace, Traces[trace].numbers[at]>>)
                /\ at' = Len(Traces[trace].events) + 1
                /\ UNCHANGED <<trace, nodes, snapshots, leaders, committed>>

Spec == Init /\ [][Next]_vars
=============================================================================
