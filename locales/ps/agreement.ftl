# needs native review
# The agreement on a page: words that only it has. Kinds and roles stand in console.ftl, units in verdicts.ftl.

reading-draft = هغه متنونه چې تر ماتې کرښې څنګ ته دي ماشین لیکلي دي او د ژبې د خاوندانو کتنې ته اړتیا لري.
reading-in-force = الزامي له
reading-members = غړي
reading-digest = لنډیز
reading-folder = لنډیز هغه فولډر نوموي چې دا پاڼه ترې جوړه شوې ده. تر هر متن لاندې هغه څه دي چې قاعده یې غواړي، او پخپله قاعده، چې غوټې یې پلي کوي.
reading-missing = په دې ژبه متن نشته.
reading-severity = شدت { $severity }
reading-begins = پیل
reading-binds = ژمن
reading-jointly = ګډ
reading-toward = د چا په وړاندې
reading-owed = لازم
reading-barred = منع
reading-clock = موده
reading-exception = استثنا
reading-lapses = ساقطېږي په
reading-remedy = که مراعات نه شي
reading-nothing = هېڅ لازم نه دي
reading-audited = خلک یې ګوري

nature-conduct = کړنه
nature-result = پایله
nature-prohibition = منع
nature-power = واک
nature-permission = اجازه

clock-at-once = سمدستي
clock-within = د { $duration } دننه
clock-for = تر { $duration } پورې
clock-ever = په هر وخت کې
clock-until = تر هغه چې قاعده یې پای ته ورسوي

tick-day = هره ورځ
tick-week = هره اونۍ
tick-month = هره میاشت
tick-quarter = د کال هره ربعه
tick-year = هر کال
