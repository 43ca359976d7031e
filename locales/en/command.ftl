# What the command says to people.

table-instance = instance
table-state = state
table-when = when
table-why = why
judged = judged as of { $as_of }, known by { $known_by }
digest = digest { $hex }
no-verdicts = no commitment was opened
