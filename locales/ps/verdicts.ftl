# needs native review
# How a commitment stands, and why: words that the command, the console and reports share.

state-kept = مراعات شوې
state-breached = سرغړونه شوې
state-pending = د مهلت دننه
state-disputed = شخړه‌ییزه

reason-performed = له هوکړې سره سم ترسره شوه
reason-discharged = نوره لازمه نه ده: بنسټ یې تر ټاکلي وخت مخکې له منځه ولاړ
reason-not_performed = پر وخت ونه شوه
reason-contravened = سره له دې چې منع وو وشو
reason-open = لا وخت پاتې دی
reason-on_disputed_facts = یوازې یو لوری یې وايي

when-due = ټاکلی وخت { $instant } ({ $left } پاتې)
when-until = تر { $instant } پورې ({ $left } پاتې)
when-open-ended = تر هغه چې هواره شي
when-since = له { $instant } راهیسې
when-kept = په { $instant }
when-margin = تر ټاکلي وخت { $margin } مخکې
when-discharged = ساقطه { $instant }
when-disputed = په { $entries } پورې تړلې

unit-days = { $n } ورځې
unit-hours = { $n } ساعته
unit-minutes = { $n } دقیقې
unit-seconds = { $n } ثانیې

counts = { $kept } مراعات شوې، { $breached } سرغړونه شوې، { $pending } د مهلت دننه، { $disputed } شخړه‌ییزې

because-clock = د وخت تېرېدل
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
