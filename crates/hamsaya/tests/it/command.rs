//! Running the built command.
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a run gave.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs `hamsaya` with arguments.
pub fn hamsaya<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_hamsaya")).args(arguments).output().expect("the built command");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// The root of the project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/hamsaya lies two levels down").to_path_buf()
}

/// The lines of the blocks `sh` of one section of a page of the guide.
pub fn commands_of(page: &str, heading: &str) -> Vec<String> {
    let guide = std::fs::read_to_string(root().join("docs/guide").join(page)).expect("the page");
    let section = guide.split(&format!("\n## {heading}\n")).nth(1).expect("the section");
    let section = section.split("\n## ").next().expect("a section");
    let blocks = section.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.flat_map(str::lines).map(str::to_string).collect()
}

/// A folder of this test's own, empty.
pub fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a folder for the test");
    dir
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a copy");
        }
    }
}
