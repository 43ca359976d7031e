# needs native review
# The adherence report: words that only it has. States, reasons, kinds and months stand in verdicts.ftl and console.ftl.

report-title = د پابندۍ راپور
report-draft = دا ټکي ماشین لیکلي دي او د ژبې د خاوندانو کتنې ته اړتیا لري.
report-period = له { $from } تر { $to }
report-from-to = موده
report-judged = پرېکړه تر دې شېبې
report-known-by = له هغه څه چې تر دې شېبې معلوم وو
report-record-until = ثبت تر دې شېبې رسېږي
report-record-short = ثبت د مودې له پای مخکې پای ته رسېږي. هغه څه چې وروسته راغلي، دلته پرې پرېکړه نه ده شوې.
report-marking = د محرمیت نښه
report-agreement = هوکړه‌لیک
report-judgment = پرېکړه
report-logs = د ثبت دفترونه
report-instants = وختونه د { $utc } دي ({ $z }).

fate-kept = ترسره شوي
fate-breached = ماتې شوې
fate-pending = په تمه
fate-disputed = لانجمن
fate-discharged = نور لازم نه دي
fate-before = له مودې مخکې ماتې شوې
report-owed = لازم

report-summary = لنډیز
report-summary-lead = په دې موده کې { $owed } ژمنې لازمې وې: { $kept } ترسره شوې، { $breached } ماتې شوې، { $pending } په تمه دي، { $disputed } لانجمنې دي.
report-summary-nothing = په دې موده کې هېڅ لازم نه وو.
report-summary-score = پلي کېدل له { $most } څخه { $score }: د لاندې نمرو ټولګه.
report-of-entries = هره شمېره هغو پېښو ته رسېږي چې تر شا یې دي، او هره پېښه خپلو ثبتونو ته.

report-commitments = د هرې ژمنې حال
report-commitments-score = نمره، د سولې د هوکړو د ماټریکس په څېر: په موده کې چې څه څرګند شول، له هغو ۰ هېڅ ترسره نه شول، ۱ تر نیمایي لږ، ۲ تر ټولو لږ، ۳ ټول. د هغو په اړه چې په تمه یا لانجمن دي، څه نه وایي.
report-idle = تر دې لاندې هېڅ لازم نه وو: { $commitments }.
col-commitment = ژمنه
col-share = د ترسره شویو برخه
col-margin = تر ټولو لږ پاتې وخت
col-overdue = تر ټولو ډېر ځنډ
col-score = نمره
percent = { $n }٪

report-observed = چېرته چا کتلي
report-observed-lead = چوپتیا راپور نه دی. ورځ هغه وخت کتل شوې شمېرل کېږي چې سکټور یې راپور ورکړی وي، یا یې ویلي وي چې کتلي یې دي، څنګه، او هېڅ یې نه دي لیدلي.
report-observed-none = د مودې هېڅ بشپړه ورځ لا نه ده تېره شوې.
col-sector = سکټور
col-reported = د راپور ورځې
col-nothing-seen = کتل شوې ورځې، هېڅ نه دي لیدل شوي
col-not-looked = ناکتل شوې ورځې
col-not-looked-on = ناکتل شوې په

report-revised = د مخکینیو ورځو هغه پرېکړې چې بدلې شوې
report-revised-lead = هغه څه چې د مودې په پیل کې پرېکړه وه، او هغه څه چې اوس د هماغې شېبې په اړه پرېکړه ده.
report-revised-none = هېڅ نه دي بدل شوي.
col-instance = پېښه
col-was = وه
col-is = ده
col-because = له امله
fell-away = هېڅ

report-instances = ټولې پېښې
col-when = کله
col-why = ولې
col-entries = ثبتونه

report-entries = ثبتونه
report-entries-lead = هر یو یې لیکوال لاسلیک کړی، په نومول شوي دفتر کې ولاړ دی، او شاهدانو په ورکړل شوې موده کې ورسره لاسلیک کړی.
col-entry = ثبت
col-party = اړخ
col-kind = ډول
col-logged = ثبت شوی
col-statement = وینا

report-check = دا څنګه وازمویئ
report-check-judge = پر همدې ثبت د همدې هوکړه‌لیک له مخې پرېکړه وکړئ؛ عددي لنډیز باید هماغه پورتنی وي:
report-check-entry = د هر ثبت ثبوت وغواړئ، پرته له دې چې پر هغه نوډ باور وکړئ چې ورکوي یې:
