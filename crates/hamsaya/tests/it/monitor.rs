//! `hamsaya monitor` on one small log.
use crate::command::{hamsaya, scratch};
use std::fs;

#[test]
fn a_formula_holds_between_events_too() {
    let dir = scratch("monitor");
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::write(&path, text).expect("a file");
        path.to_str().expect("UTF-8").to_string()
    };
    let sig = file("alert.sig", "alert(string) ack(string)\n");
    let formula = file("alert.mfotl", "(ONCE[0,1h] alert(i)) AND NOT (ONCE ack(i))\n");
    let log = file("alert.log", "@1000 alert(\"i1\");\n@2800 ack(\"i1\");\n");
    let ran = hamsaya(&["monitor", "--sig", &sig, "--formula", &formula, "--log", &log]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "(i)\n(\"i1\"): [1000,2799]\n"), "{}", ran.err);
    let ran = hamsaya(&["monitor", "--sig", &sig, "--formula", &formula, "--log", &log, "--format", "json"]);
    assert!(ran.out.contains("2799"), "{}", ran.out);
    let broken = file("broken.mfotl", "ONCE[0,1h alert(i)\n");
    let ran = hamsaya(&["monitor", "--sig", &sig, "--formula", &broken, "--log", &log]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.starts_with("error: found `alert`, expected") && ran.err.contains("broken.mfotl:1:11"),
        "{}",
        ran.err
    );
}
