# The agreement on a page: words that only it has. Kinds and roles stand in console.ftl, units in verdicts.ftl.

reading-draft = Texts beside a broken line were drafted by machine and need native review.
reading-in-force = Binds from
reading-members = Members
reading-digest = Digest
reading-folder = The digest names the folder from which this page was made. Under each text stands what its rule demands, and the rule itself, which nodes run.
reading-missing = There is no text in this language.
reading-severity = severity { $severity }
reading-begins = Begins
reading-binds = Binds
reading-jointly = jointly
reading-toward = Toward
reading-owed = Owed
reading-barred = Barred
reading-clock = Clock
reading-exception = Exception
reading-lapses = Falls away
reading-remedy = If not kept
reading-nothing = nothing is owed
reading-audited = Looked at by people

nature-conduct = conduct
nature-result = result
nature-prohibition = prohibition
nature-power = power
nature-permission = permission

clock-at-once = at once
clock-within = within { $duration }
clock-for = for { $duration }
clock-ever = at any time
clock-until = until the rule ends it

tick-day = each day
tick-week = each week
tick-month = each month
tick-quarter = each quarter
tick-year = each year
