//! `hamsaya simulate`: a seed is a story.
use crate::command::hamsaya;

#[test]
fn a_seed_tells_its_story_and_holds() {
    let ran = hamsaya(&["simulate", "--seed", "7", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let told: serde_json::Value = serde_json::from_str(&ran.out).expect("one object");
    assert_eq!((&told["seed"], &told["holds"]), (&7.into(), &true.into()));
    assert_eq!(told["again"], "hamsaya simulate --seed 7");
    assert!(told["story"].as_array().is_some_and(|story| story.len() > 50), "{told}");
}
