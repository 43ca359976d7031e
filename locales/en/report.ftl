# The adherence report: words that only it has. States, reasons, kinds and months stand in verdicts.ftl and console.ftl.

report-title = Adherence report
report-draft = These words were drafted by machine and need native review.
report-period = { $from } to { $to }
report-from-to = Period
report-judged = Judged as of
report-known-by = From what was known by
report-record-until = The record reaches
report-record-short = The record ends before the period does. What came later is not judged here.
report-marking = Marking
report-agreement = Agreement
report-judgment = Judgment
report-logs = Logs
report-instants = Instants are in { $utc } ({ $z }).

# What became of an instance in the period.
fate-kept = kept
fate-breached = breached
fate-pending = pending
fate-disputed = disputed
fate-discharged = no longer owed
fate-before = breached before the period
report-owed = owed

report-summary = In short
report-summary-lead = { $owed } duties were owed in the period: { $kept } kept, { $breached } breached, { $pending } pending, { $disputed } disputed.
report-summary-nothing = Nothing was owed in the period.
report-summary-score = Implementation { $score } of { $most }: the sum of the scores below.
report-of-entries = Every number leads to the instances behind it, and every instance to its entries.

report-commitments = By commitment
report-commitments-score = Score, after the Peace Accords Matrix: of what was settled in the period, 0 none kept, 1 less than half, 2 less than all, 3 all. It says nothing of what is pending or disputed.
report-idle = Nothing was owed under { $commitments }.
col-commitment = commitment
col-share = share kept
col-margin = least time to spare
col-overdue = longest overdue
col-score = score
percent = { $n }%

report-observed = Where somebody looked
report-observed-lead = Silence is no report. A day counts as looked at only if its sector reported, or said that it looked, how, and that nothing was seen.
report-observed-none = No whole day of the period is over.
col-sector = sector
col-reported = days reported
col-nothing-seen = days looked at, nothing seen
col-not-looked = days not looked at
col-not-looked-on = not looked at on

report-revised = Verdicts on earlier days that changed
report-revised-lead = What was judged when the period began, and what is judged of the same instant now.
report-revised-none = None changed.
col-instance = instance
col-was = was
col-is = is
col-because = because
fell-away = none

report-instances = Every instance
col-when = when
col-why = why
col-entries = entries

report-entries = Entries
report-entries-lead = Each is signed by its author, stands in the log named, and was cosigned by the witnesses within the interval given.
col-entry = entry
col-party = party
col-kind = kind
col-logged = logged
col-statement = statement

report-check = How to check this
report-check-judge = Judge the same record by the same agreement; the digest must be the one above:
report-check-entry = Have any entry proven, without trusting the node that gives it:
