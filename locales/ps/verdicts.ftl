# needs native review
# How a commitment stands, and why: words that the command, the console and reports share.

state-kept = ترسره شوی
state-breached = مات شوی
state-pending = پاتې
state-disputed = شخړه‌ییز

reason-performed = له هوکړې سره سم ترسره شو
reason-discharged = نور لازم نه دی: بنسټ یې تر نېټې مخکې له منځه ولاړ
reason-not_performed = پر وخت ونه شو
reason-contravened = سره له دې چې منع وو وشو
reason-open = لا وخت پاتې دی
reason-on_disputed_facts = یوازې یو لوری یې وايي

when-due = نېټه { $instant } ({ $left } پاتې)
when-until = تر { $instant } پورې ({ $left } پاتې)
when-open-ended = تر هغه چې پرېکړه شي
when-since = له { $instant } راهیسې
when-kept = په { $instant }
when-margin = تر نېټې { $margin } مخکې
when-discharged = ساقط { $instant }
when-disputed = په { $entries } پورې تړلی

unit-days = { $n } ورځې
unit-hours = { $n } ساعته
unit-minutes = { $n } دقیقې
unit-seconds = { $n } ثانیې

counts = { $kept } ترسره شوي، { $breached } مات شوي، { $pending } پاتې، { $disputed } شخړه‌ییز

because-clock = ساعت
because-entries = { $entries }
because-late = ناوخته شواهد: { $entries }
because-withdrawn = بېرته اخیستل شوي شواهد: { $entries }
change = { $label } { $before } -> { $after } ({ $because })
change-opened = { $label } پیلېږي: { $after } ({ $because })
change-gone = { $label } له منځه ځي ({ $because })

explain-owes = ژمن لوری { $bearer } دی؛ کارونه له { $instant } راهیسې شمېرل کېږي
explain-opened-by = په { $entry } پیل شو
explain-because = د { $entry } له امله
explain-missing = نشته: { $kind } د { $from } او { $to } ترمنځ
explain-missing-open = نشته: { $kind } له { $from } وروسته
explain-missing-until = نشته: { $kind } تر { $to } پورې
explain-missing-ever = نشته: { $kind }
explain-disputed = یوازې یو لوری وايي: { $entry }
explain-flip = له { $entry } پرته به پرېکړه بل ډول وای
explain-proof = سند
entry-cited = { $party } { $kind } ({ $origin } #{ $index }، ثبت { $instant })
