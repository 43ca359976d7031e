//! `hamsaya monitor`: small logs, interruptions, and the shared reference cases through the command.
use crate::command::{hamsaya, root, scratch};
use serde_json::Value as Json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn file(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).expect("a file");
    path.to_str().expect("UTF-8").to_string()
}

#[test]
fn a_formula_holds_between_events_too() {
    let dir = scratch("monitor");
    let sig = file(&dir, "alert.sig", "alert(string) ack(string)\n");
    let formula = file(&dir, "alert.mfotl", "(ONCE[0,1h] alert(i)) AND NOT (ONCE ack(i))\n");
    let log = file(&dir, "alert.log", "@1000 alert(\"i1\");\n@2800 ack(\"i1\");\n");
    let clock = ["monitor", "--domain", "clock", "--signature", &sig, "--formula", &formula, "--log", &log];
    let ran = hamsaya(&clock);
    assert_eq!((ran.code, ran.out.as_str()), (0, "(i)\n(\"i1\"): [1000,2799]\n"), "{}", ran.err);
    let ran = hamsaya(&[&clock[..], &["--format", "json"]].concat());
    assert!(ran.out.contains("2799"), "{}", ran.out);
    let broken = file(&dir, "broken.mfotl", "ONCE[0,1h alert(i)\n");
    let ran = hamsaya(&["monitor", "--sig", &sig, "--formula", &broken, "--log", &log]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.starts_with("error: found `alert`, expected") && ran.err.contains("broken.mfotl:1:11"),
        "{}",
        ran.err
    );
}

#[test]
fn a_log_over_points_its_changes_and_its_bad_lines() {
    let dir = scratch("monitor-points");
    let sig = file(&dir, "s", "lodged(int) ack(int)\n");
    let formula = file(&dir, "f", "lodged(i) AND NOT EVENTUALLY[0,1h] ack(i)\n");
    let log = file(&dir, "l", "@0 lodged(7) lodged(8);\n@60 ack(7);\n@60;\n@9000;\n");
    let base = ["monitor", "--signature", &sig, "--formula", &formula, "--log"];
    let ran = hamsaya(&[&base[..], &[&log]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (0, "@0 (time point 0): (8)\n"), "{}", ran.err);
    let ran = hamsaya(&[&base[..], &[&log, "--format", "json"]].concat());
    assert_eq!(ran.out, "{\"stamp\":0,\"time_point\":0,\"tuples\":[[8]]}\n");
    let changes = file(&dir, "c", "# late\n-@60 ack(7)\n+@60#2 ack(8)\n+@9000 lodged(1)\n");
    let ran = hamsaya(&[&base[..], &[&log, "--changes", &changes]].concat());
    let wanted = "-@0 (time point 0): (8)\n+@0 (time point 0): (7)\n+@9000 (time point 3): (1)\n";
    assert_eq!((ran.code, ran.out.as_str()), (0, wanted), "{}", ran.err);
    // What is not there cannot be withdrawn: that is said, and the rest goes on.
    let changes = file(&dir, "c", "-@60 ack(9)\n+@60 ack(7)\n-@60 ack(7)\n");
    let ran = hamsaya(&[&base[..], &[&log, "--changes", &changes]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (0, "-@0 (time point 0): (8)\n+@0 (time point 0): (7) (8)\n"));
    assert!(ran.err.contains("c:1: `@60 ack(9)` is not there") && ran.err.contains("c:2: `@60 ack(7)` is there"));
    let ran = hamsaya(&[&base[..], &[&file(&dir, "bom", "\u{feff}@0;\0")]].concat());
    assert!(ran.code == 2 && ran.err.starts_with("error: found `\\u{feff}`"), "{}", ran.err);
    for (text, complaint) in [
        ("+@61 ack(7)\n", "found `@61`, expected the stamp of a time-point of the log: it has none with that stamp"),
        ("+@60#3 ack(7)\n", "found `@60#3`, expected one of the 2 time-points of that stamp"),
        ("ack(7)\n", "expected `+@stamp NAME(values)` or `-@stamp NAME(values)`"),
        ("+@60 ack(\"x\")\n", "found \"x\", expected a whole number"),
    ] {
        let changes = file(&dir, "bad-changes", text);
        let ran = hamsaya(&[&base[..], &[&log, "--changes", &changes]].concat());
        assert!(ran.code == 2 && ran.err.contains(complaint), "{}", ran.err);
    }
    let bad = file(&dir, "bad", "@0 lodged(7);\n@5 lodged(x);\n@6 ack(1,2);\n@3 ack(7);\n@9000;\n");
    let ran = hamsaya(&[&base[..], &[&bad]].concat());
    assert!(
        ran.code == 2 && ran.err.contains(":2:11") && ran.err.contains("found `x`, expected a whole number"),
        "{}",
        ran.err
    );
    let ran = hamsaya(&[&base[..], &[&bad, "--skip-bad-lines", "--stats"]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (0, "@0 (time point 0): (7)\n"), "{}", ran.err);
    for line in ["bad:2:11", "bad:3:9", "bad:4:1", "stamp 3 after stamp 6", "3 lines passed over"] {
        assert!(ran.err.contains(line), "{line} in {}", ran.err);
    }
}

/// Reasons stand behind each verdict, for people and for scripts.
#[test]
fn reasons_of_verdicts() {
    let dir = scratch("monitor-explain");
    let sig = file(&dir, "s", "p(int, string) q(int)\n");
    let formula = file(&dir, "f", "n <- CNT t; x ONCE[0,5] (p(x, t) AND NOT PREVIOUS q(x))\n");
    let log = file(&dir, "l", "@0 p(1, \"a\") q(1);\n@3 p(1, \"b\");\n@4 p(1, \"c\");\n@9;\n");
    let base = ["monitor", "--signature", &sig, "--formula", &formula, "--log", &log, "--explain"];
    let ran = hamsaya(&base);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let plain = hamsaya(&base[..7]);
    let verdicts: String =
        ran.out.lines().filter(|line| line.starts_with('@')).map(|line| format!("{line}\n")).collect();
    assert_eq!(verdicts, plain.out);
    assert!(ran.out.contains("\n  there     p(1,\"a\") @0 (time point 0)\n"), "{}", ran.out);
    assert!(ran.out.contains("  not there "), "{}", ran.out);
    let ran = hamsaya(&[&base[..], &["--format", "json"]].concat());
    for line in lines(&ran.out) {
        assert!(line["because"]["so"].as_array().is_some_and(|lines| !lines.is_empty()), "{line}");
    }
    let ran = hamsaya(&[&base[..], &["--domain", "clock"]].concat());
    assert!(ran.code == 2 && ran.err.contains("--domain clock"), "{}", ran.err);
}

/// What a formula means is refused as its syntax is: what was found, where, and what helps.
#[test]
fn a_refusal_names_line_and_column() {
    let dir = scratch("monitor-refused");
    let sig = file(&dir, "s", "lodged(int) ack(int)\n");
    let log = file(&dir, "l", "@0;\n");
    for (domain, text, said) in [
        (
            "points",
            "lodged(i)\n  AND NOT ack(j)\n",
            "error: variable `j` is not bound in `NOT ack(j)`\n  FILE:2:15\nhint: AND it with a fact that has the variable\n",
        ),
        (
            "points",
            "lodged(i) AND\n akc(i)\n",
            "error: no predicate `akc`\n  FILE:2:2\nhint: known are `ack`, `lodged`\n",
        ),
        (
            "clock",
            "lodged(i) AND\n akc(i)\n",
            "error: `akc` is neither a predicate nor a definition\n  FILE:2:2\nhint: ",
        ),
        ("clock", "lodged(i) AND\n NOT ack(j)\n", "error: variable `j` is not bound in `"),
    ] {
        let formula = file(&dir, "f", text);
        let ran = hamsaya(&["monitor", "--domain", domain, "--signature", &sig, "--formula", &formula, "--log", &log]);
        assert!(ran.code == 2 && ran.err.starts_with(&said.replace("FILE", &formula)), "{}", ran.err);
    }
}

/// MonPoly's spelling of the options, and a change that does not fit.
#[test]
fn changes_are_refused_by_line_and_column() {
    let dir = scratch("monitor-changes-refused");
    let sig = file(&dir, "s", "p(int)\n");
    let formula = file(&dir, "f", "p(x)\n");
    let log = file(&dir, "l", "@0 p(3);\n");
    let base = ["monitor", "-sig", &sig, "-formula", &formula, "-log", &log];
    assert_eq!(hamsaya(&base).out, "@0 (time point 0): (3)\n");
    for (text, said) in [
        ("+@0 p(1)\n  +@0 p(x)\n", "error: found `x`, expected a whole number\n  FILE:2:9\n"),
        ("-@0 z(1)\n", "error: found `z`, expected a predicate of the signature\n  FILE:1:5\n"),
    ] {
        let changes = file(&dir, "c", text);
        let ran = hamsaya(&[&base[..], &["--changes", &changes]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (2, said.replace("FILE", &changes).as_str()));
    }
}

/// A term without a value stops the run where it stands; what was final before is printed first.
#[test]
fn a_division_by_zero_is_named_behind_what_was_final() {
    let dir = scratch("monitor-zero");
    let sig = file(&dir, "s", "p(int)\n");
    let formula = file(&dir, "f", "p(x) AND y = 6 / x\n");
    let log = file(&dir, "l", "# three\n@1 p(3);\n@5 p(2);\n\n@7 p(0);\n@9 p(1);\n");
    let base = ["monitor", "--signature", &sig, "--formula", &formula, "--log", &log];
    let said = "error: division by zero in `(6 / x)` at stamp 7 (time point 2)\n  ";
    for (format, out) in [
        ("text", "@1 (time point 0): (3,2)\n@5 (time point 1): (2,3)\n"),
        (
            "json",
            "{\"stamp\":1,\"time_point\":0,\"tuples\":[[3,2]]}\n{\"stamp\":5,\"time_point\":1,\"tuples\":[[2,3]]}\n",
        ),
    ] {
        let ran = hamsaya(&[&base[..], &["--format", format]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, out));
        assert!(ran.err.starts_with(said) && ran.err.contains("l:5\n"), "{}", ran.err);
    }
    // Nobody listens to complaints: the exit code is the same.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_hamsaya")).args(base).stdout(Stdio::null()).stderr(writer).status();
    assert_eq!(status.expect("the built command").code(), Some(2));
}

/// Standard input is read as it comes, and an interruption leaves whole lines.
#[test]
fn a_stream_is_answered_at_once_and_interrupted_between_lines() {
    let dir = scratch("monitor-stream");
    let sig = file(&dir, "s", "p(int)\n");
    let formula = file(&dir, "f", "ONCE[0,5] p(x)\n");
    let mut child = Command::new(env!("CARGO_BIN_EXE_hamsaya"))
        .args(["monitor", "--signature", &sig, "--formula", &formula, "--log", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the built command");
    let mut input = child.stdin.take().expect("standard input");
    let mut output = std::io::BufReader::new(child.stdout.take().expect("standard output"));
    input.write_all(b"@1 p(3);\n").expect("a line is taken");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut output, &mut line).expect("an answer while the log is open");
    assert_eq!(line, "@1 (time point 0): (3)\n");
    let flood: Vec<u8> = (2..200_000).flat_map(|i| format!("@{i} p({i});\n").into_bytes()).collect();
    let id = child.id().to_string();
    let writer = std::thread::spawn(move || {
        // The reader may be gone before all is written: that is the point.
        let _ = input.write_all(&flood);
        input
    });
    std::io::BufRead::read_line(&mut output, &mut line).expect("it goes on");
    assert!(Command::new("kill").args(["-INT", &id]).status().is_ok_and(|status| status.success()));
    let mut rest = Vec::new();
    std::io::Read::read_to_end(&mut output, &mut rest).expect("the rest");
    drop(writer.join());
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert!(rest.is_empty() || rest.ends_with(b"\n"), "a torn line");
}

/// The shared cases, if they are there.
fn cases(name: &str) -> Option<Vec<Json>> {
    let path: PathBuf = root().join("../shared/vectors/monitor").join(name);
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect())
}

fn same(found: &Json, wanted: &Json) -> bool {
    match (found, wanted) {
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Number(a), Json::Number(b)) if a.is_f64() || b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap_or(0.0), b.as_f64().unwrap_or(0.0));
            (a - b).abs() <= 1e-5 * a.abs().max(b.abs()).max(1.0)
        }
        (a, b) => a == b,
    }
}

fn lines(out: &str) -> Vec<Json> {
    out.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// Tuples of a verdict as a set.
fn sorted(tuples: &Json) -> Vec<Json> {
    let mut list = tuples.as_array().cloned().unwrap_or_default();
    list.sort_by_key(Json::to_string);
    list
}

fn verdicts_differ(found: &[Json], wanted: &Json) -> bool {
    let wanted = wanted.as_array().cloned().unwrap_or_default();
    found.len() != wanted.len()
        || found.iter().zip(&wanted).any(|(a, b)| {
            a["time_point"] != b["time_point"]
                || a["stamp"] != b["time_stamp"]
                || !same(&sorted(&a["tuples"]).into(), &sorted(&b["tuples"]).into())
        })
}

#[test]
fn the_shared_cases_pass_through_the_command() {
    let dir = scratch("monitor-cases");
    let run = |case: &Json, log: &str, more: &[&str]| {
        let text = |field: &str| case[field].as_str().unwrap_or_default().to_string();
        let signature = file(&dir, "s", &text("signature"));
        let formula = file(&dir, "f", &text("formula"));
        let log = file(&dir, "l", log);
        let base = ["monitor", "--signature", &signature, "--formula", &formula, "--log", &log, "--format", "json"];
        hamsaya(&[&base[..], more].concat())
    };
    let mut wrong = Vec::new();
    if let Some(accepted) = cases("monitor-accepted.jsonl") {
        for case in &accepted {
            let ran = run(case, case["log"].as_str().unwrap_or_default(), &[]);
            if ran.code != 0 || verdicts_differ(&lines(&ran.out), &case["verdicts"]) {
                wrong.push(format!("{} {}", case["id"], ran.err));
            }
        }
        println!("{} accepted cases", accepted.len());
    }
    if let Some(refused) = cases("monitor-refused.jsonl") {
        let (mut taken, mut placed) = (0, 0);
        for case in &refused {
            let ran = run(case, "@0;\n", &[]);
            // Where it is: the second line ends with the formula's file, a line and a column.
            let place = ran.err.lines().nth(1).unwrap_or_default().rsplit_once("/f:");
            placed += usize::from(place.is_some_and(|(_, at)| at.split(':').all(|n| n.parse::<u32>().is_ok())));
            // More may be accepted where it is sound: only what is unsafe for the reference monitors.
            taken += usize::from(ran.code == 0);
            if ran.code != 2 && !(ran.code == 0 && case["refused"] == "unsafe") {
                wrong.push(format!("{} {}", case["id"], ran.err));
            }
        }
        println!(
            "{} refused cases, of which {taken} are accepted here and {placed} name a line and column",
            refused.len()
        );
        if taken + placed != refused.len() {
            wrong.push(format!("{} refusals without a place", refused.len() - taken - placed));
        }
    }
    if let Some(revised) = cases("monitor-revision.jsonl") {
        for case in &revised {
            let before = case["log_before"].as_str().unwrap_or_default();
            let stamps: Vec<&str> =
                before.lines().filter_map(|line| line.strip_prefix('@')?.split([' ', ';']).next()).collect();
            let mut changes = String::new();
            for change in case["changes"].as_array().into_iter().flatten() {
                let point = usize::try_from(change["time_point"].as_u64().unwrap_or(0)).unwrap_or(0);
                let nth = stamps[..=point].iter().filter(|stamp| **stamp == stamps[point]).count();
                let sign = if change["op"] == "insert" { '+' } else { '-' };
                changes +=
                    &format!("{sign}@{}#{nth} {}\n", stamps[point], change["event"].as_str().unwrap_or_default());
            }
            let first = run(case, before, &[]);
            let after = run(case, case["log"].as_str().unwrap_or_default(), &[]);
            let path = file(&dir, "c", &changes);
            let deltas = run(case, before, &["--changes", &path]);
            // What went and what came, on what was, is what is.
            let mut at: std::collections::BTreeMap<u64, Vec<Json>> = std::collections::BTreeMap::new();
            for verdict in lines(&first.out) {
                at.insert(verdict["time_point"].as_u64().unwrap_or(0), sorted(&verdict["tuples"]));
            }
            for delta in lines(&deltas.out) {
                let tuples = at.entry(delta["time_point"].as_u64().unwrap_or(0)).or_default();
                let gone = sorted(&delta["gone"]);
                let count = tuples.len();
                tuples.retain(|tuple| !gone.contains(tuple));
                if tuples.len() + gone.len() != count {
                    wrong.push(format!("{}: what went was not there", case["id"]));
                }
                tuples.extend(sorted(&delta["come"]));
                tuples.sort_by_key(Json::to_string);
            }
            at.retain(|_, tuples| !tuples.is_empty());
            let now: std::collections::BTreeMap<u64, Vec<Json>> = lines(&after.out)
                .iter()
                .map(|verdict| (verdict["time_point"].as_u64().unwrap_or(0), sorted(&verdict["tuples"])))
                .collect();
            if deltas.code != 0
                || at != now
                || verdicts_differ(&lines(&first.out), &case["verdicts_before"])
                || verdicts_differ(&lines(&after.out), &case["verdicts"])
            {
                wrong.push(format!("{} revision {}", case["id"], deltas.err));
            }
        }
        println!("{} revision cases", revised.len());
    }
    assert!(wrong.is_empty(), "{} cases: {}", wrong.len(), wrong.join("\n"));
}

/// The files, commands and answers of docs/guide/monitor.md.
#[test]
fn the_guide_to_the_monitor_runs_as_it_is_written() {
    let guide = fs::read_to_string(root().join("docs/guide/monitor.md")).expect("the guide");
    let dir = scratch("monitor-guide");
    let (mut blocks, mut block): (Vec<(String, String)>, Option<(String, String)>) = (Vec::new(), None);
    for line in guide.lines() {
        match (line.strip_prefix("```"), &mut block) {
            (Some(kind), None) => block = Some((kind.to_string(), String::new())),
            (Some(_), Some(_)) => blocks.extend(block.take()),
            (None, Some((_, text))) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    let mut answers = 0;
    let mut answer: Option<String> = None;
    for (kind, text) in blocks {
        if let Some(name) = kind.strip_prefix("text file=") {
            file(&dir, name, &text);
        } else if kind == "sh" {
            let arguments: Vec<&str> = text.split_whitespace().skip(1).collect();
            let ran = Command::new(env!("CARGO_BIN_EXE_hamsaya")).args(arguments).current_dir(&dir).output();
            let ran = ran.expect("the built command");
            assert!(ran.status.success(), "{text}{}", String::from_utf8_lossy(&ran.stderr));
            answer = Some(String::from_utf8(ran.stdout).expect("UTF-8"));
        } else if let Some(found) = answer.take() {
            assert_eq!(found, text);
            answers += 1;
        }
    }
    assert_eq!(answers, 5);
}
