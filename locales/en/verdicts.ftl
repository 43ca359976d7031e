# How a commitment stands, and why: words that the command, the console and reports share.
# Ids end in the codes of the HTTP API (`state`, `reason`).

state-kept = kept
state-breached = breached
state-pending = pending
state-disputed = disputed

# Reason codes in words.
reason-performed = done as agreed
reason-discharged = no longer owed: its ground fell before it was due
reason-not_performed = not done in time
reason-contravened = done although barred
reason-open = time is left
reason-on_disputed_facts = stated by one side only

# Instants first, time left second.
when-due = due { $instant } ({ $left } left)
when-until = until { $instant } ({ $left } left)
when-open-ended = until it is settled
when-since = since { $instant }
when-kept = at { $instant }
when-margin = { $margin } before it was due
when-discharged = discharged { $instant }
when-disputed = hangs on { $entries }

# Durations, two units at most.
unit-days = { $n } d
unit-hours = { $n } h
unit-minutes = { $n } min
unit-seconds = { $n } s

counts = { $kept } kept, { $breached } breached, { $pending } pending, { $disputed } disputed

# What moved a verdict.
because-clock = the clock
because-entries = { $entries }
because-late = late evidence: { $entries }
because-withdrawn = evidence withdrawn: { $entries }
change = { $label } { $before } -> { $after } ({ $because })
change-opened = { $label } opens: { $after } ({ $because })
change-gone = { $label } falls away ({ $because })

# Explanations.
explain-owes = { $bearer } owes it; acts count since { $instant }
explain-opened-by = opened by { $entry }
explain-because = because of { $entry }
explain-missing = not there: { $kind } between { $from } and { $to }
explain-missing-open = not there: { $kind } from { $from } on
explain-missing-until = not there: { $kind } until { $to }
explain-missing-ever = not there: { $kind }
explain-disputed = only one side states { $entry }
explain-flip = without { $entry } it would stand otherwise
explain-proof = proof
entry-cited = { $party } { $kind } ({ $origin } #{ $index }, logged { $instant })
