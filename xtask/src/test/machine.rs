//! The stages in the virtual machine. A computer that cannot have one skips them, and says why.

use std::process::Command;
use std::time::Duration;

use super::stage::{self, Report, Stage};
use crate::output;
use crate::repo::Repo;
use crate::vm::{self, Part};

/// How the skip is called in the list of allowed ones.
const MACHINE: &str = "the virtual machine";
/// Packages and image; usually two minutes.
const IMAGE_LIMIT: Duration = Duration::from_secs(8 * 60);
/// In the machine, the default run's time for each suite in seconds. Cases that are not begun by then are skipped.
const SUITE_TIMES: [u64; 2] = [540, 150];
/// The script is ended by itself; this is for a script that is not.
const GRACE: Duration = Duration::from_secs(15);

/// What the default run does: all of the conformance suite, and some scenarios of engines.
pub(super) fn part(repo: &Repo) -> Vec<Report> {
    let [conformance, engines] = SUITE_TIMES.map(|seconds| seconds.to_string());
    let list = repo.root.join("tests/engines/in-vm.txt").display().to_string();
    let parts = [
        ("conformance", vec!["--expect", "--within", &conformance]),
        ("engines", vec!["--expect", "--only", &list, "--within", &engines]),
    ];
    stages(repo, &parts, 15 * 60)
}

/// All of both suites.
pub(super) fn whole(repo: &Repo, filter: Option<&str>) -> Vec<Report> {
    let mut arguments = vec!["--expect"];
    arguments.extend(filter.iter().flat_map(|filter| ["--filter", filter]));
    stages(repo, &[("conformance", arguments.clone()), ("engines", arguments)], 60 * 60)
}

fn stages(repo: &Repo, parts: &[(&'static str, Vec<&str>)], limit: u64) -> Vec<Report> {
    let image = image(repo);
    if image.counts.passed == 0 {
        return vec![image];
    }
    let owned = |(suite, words): &(&'static str, Vec<&str>)| {
        let arguments = words.iter().map(|word| String::from(*word)).collect();
        Part { suite, arguments }
    };
    let parts: Vec<Part> = parts.iter().map(owned).collect();
    let report = match vm::command(repo, &parts, limit) {
        Ok(command) => {
            let mut stage = Stage::runner(command);
            stage.skips_with(&vm::NOT_ITS_FAULT, MACHINE);
            stage.execute("vm", Duration::from_secs(limit) + GRACE)
        }
        Err(error) => Report::unbuilt("vm", &error),
    };
    vec![image, report]
}

/// Makes the image when it is missing. It is no fault of the code under test when that fails.
fn image(repo: &Repo) -> Report {
    Report::timed("vm image", |report| {
        if let Some(obstacle) = vm::obstacle(repo) {
            report.skip(MACHINE, &format!("cannot be had here: {obstacle}"));
            return;
        }
        let mut last = String::new();
        // By cargo: the tests may have built this program anew since it was started.
        let mut command: Command = repo.cargo();
        command.args(["run", "--quiet", "--package", "xtask", "--"]);
        let made = stage::run(command.args(["vm", "build", "--if-missing"]), IMAGE_LIMIT, |line| {
            output::line(line);
            line.clone_into(&mut last);
        });
        if made {
            report.count("the virtual machine's image", true);
        } else {
            report.skip(MACHINE, &format!("cannot be had here: {last}"));
        }
    })
}
