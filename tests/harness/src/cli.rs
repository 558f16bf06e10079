//! The command line of a runner of cases.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::expected::Expected;
use crate::format::{self, RuntimeResults};
use crate::judge::{judge, judge_mutations};
use crate::options::{self, Options};
use crate::runner::{CaseResult, Plan, Run, Status};
use crate::runtime::Setup;
use crate::{Cases, Flavor, build, coverage, kill_sweep, leak, print, proof, worker};

/// Runs a command line on the registered cases.
#[must_use]
pub fn main(register: fn(&mut Cases)) -> ExitCode {
    suite("conformance", register)
}

/// The same for the suite in `tests/NAME`, which has its own lists of expected failures.
#[must_use]
pub fn suite(name: &'static str, register: fn(&mut Cases)) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut cases = Cases::default();
    register(&mut cases);
    let outcome = match arguments.first().map(String::as_str) {
        Some("--worker") => work(&cases, &arguments).map(|()| true),
        _ => options::parse(&arguments)
            .and_then(|options| run(&cases, &Options { suite: name, ..options })),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print::note(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn work(cases: &Cases, arguments: &[String]) -> anyhow::Result<()> {
    let [_, index, binary, run, id, result, mode] = arguments else {
        bail!("--worker is not for people")
    };
    let case = cases.list.get(index.parse::<usize>()?).context("no such case")?;
    let mutation = case.mutation.filter(|_| mode == "mutated");
    let setup = Setup { binary: binary.into(), run: run.into(), id: id.clone(), mutation };
    worker::run(case, setup, Path::new(result))
}

fn run(cases: &Cases, options: &Options) -> anyhow::Result<bool> {
    let duplicates = cases.duplicates();
    if !duplicates.is_empty() {
        bail!("sentences used twice:\n{}", duplicates.join("\n"));
    }
    if options.coverage {
        let (covered, proved) = (coverage::report(cases)?, proof::report(cases)?);
        return Ok(covered && proved);
    }
    if options.kills {
        return kill_sweep::tables(&options.runtimes, &today()?).map(|()| true);
    }
    let selected = select(cases, options)?;
    if options.list {
        for case in selected.iter().filter_map(|index| cases.list.get(*index)) {
            print::line(&format!(
                "{:6} {:8} {} [{}]",
                case.level,
                case.since,
                case.title(),
                case.rows.join(" ")
            ));
        }
        return Ok(true);
    }
    if !rustix::process::geteuid().is_root() {
        for case in selected.iter().filter_map(|index| cases.list.get(*index)) {
            print::line(&format!("skipped: {}: needs root", case.title()));
        }
        print::line(&format!("0 passed, 0 failed, {} skipped", selected.len()));
        return Ok(true);
    }
    let run = Run::begin()?;
    let networks = leak::host_networks();
    let mut all = Vec::new();
    for binary in &options.runtimes {
        let selected = passing(&run, cases, options, &selected, binary)?;
        all.push(test(&run, cases, options, &selected, binary)?);
    }
    for left in leak::host_networks().difference(&networks) {
        print::note(&format!("new on this machine since the run began: {}", left.display()));
    }
    if options.mutate {
        return Ok(judge_mutations(cases, &all));
    }
    if options.update_lists {
        for (results, binary) in all.iter().zip(&options.runtimes) {
            update_list(cases, results, options.suite, binary)?;
        }
    }
    if options.against {
        write_matrix(&format::markdown(cases, &all, &today()?))?;
    }
    match options.format.as_str() {
        "json" => print::line(&format::json(cases, &all)),
        "junit" => print::line(&format::junit(cases, &all)),
        "html" => print::line(&format::html(cases, &all)),
        _ => {}
    }
    judge(cases, options, &all)
}

fn today() -> anyhow::Result<String> {
    let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().context("date")?;
    Ok(String::from_utf8_lossy(&date.stdout).trim().into())
}

/// Replaces the matrix in `docs/conformance.md`, and keeps the tables of the kill sweep after it.
fn write_matrix(matrix: &str) -> anyhow::Result<()> {
    let path = build::workspace().join("docs/conformance.md");
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    let kills = old.find(kill_sweep::HEADING).and_then(|at| old.get(at..));
    let kills = kills.map_or_else(String::new, |kills| format!("\n{kills}"));
    std::fs::write(path, format!("{matrix}{kills}")).context("write docs/conformance.md")
}

/// With `--mutate` those cases that pass on the unchanged config: the failure of another tells nothing.
fn passing(
    run: &Run,
    cases: &Cases,
    options: &Options,
    selected: &[usize],
    binary: &Path,
) -> anyhow::Result<Vec<usize>> {
    if !options.mutate {
        return Ok(selected.to_vec());
    }
    let unchanged = Options { jobs: options.jobs, suite: options.suite, ..Options::default() };
    let before = test(run, cases, &unchanged, selected, binary)?;
    let passed = before.results.iter().filter(|result| result.status == Status::Passed);
    Ok(passed.map(|result| result.index).collect())
}

fn select(cases: &Cases, options: &Options) -> anyhow::Result<Vec<usize>> {
    let all: BTreeSet<String> = cases.list.iter().map(crate::case::Case::title).collect();
    if let Some(unknown) = options.only.iter().flatten().find(|title| !all.contains(*title)) {
        bail!("no case {unknown:?}");
    }
    let fits = |index: &usize| {
        let Some(case) = cases.list.get(*index) else { return false };
        let text =
            format!("{} {} {}", case.title(), case.level, case.rows.join(" ")).to_lowercase();
        let asked = |word: &String| text.contains(word) || case.slow && word == "slow";
        options.filters.iter().all(asked)
            && options.only.as_ref().is_none_or(|only| only.contains(&case.title()))
            && (!case.slow || options.filters.iter().any(|word| word == "slow"))
            && (!options.mutate || case.mutation.is_some())
    };
    let mut selected: Vec<usize> = (0..cases.list.len()).filter(fits).collect();
    if options.within.is_some() {
        // Should the time not be enough, then for cases that tell the least about this machine.
        let is_of_machine = |index: &usize| {
            cases.list.get(*index).is_some_and(|case| {
                let title = case.title().to_lowercase();
                OF_THE_MACHINE.iter().any(|word| title.contains(word))
            })
        };
        selected.sort_by_key(|index| !is_of_machine(index));
    }
    Ok(selected)
}

/// Words of cases whose outcome depends on the kernel's cgroups and security modules.
const OF_THE_MACHINE: [&str; 12] = [
    "cgroup",
    "control-groups",
    "resources",
    "unified",
    "device",
    "freez",
    "pause",
    "update",
    "events",
    "apparmor",
    "kill",
    "limit",
];

fn test(
    run: &Run,
    cases: &Cases,
    options: &Options,
    selected: &[usize],
    binary: &Path,
) -> anyhow::Result<RuntimeResults> {
    if !binary.is_file() {
        bail!("{} is no file", binary.display());
    }
    let version = Command::new(binary)
        .arg("--version")
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    let version = String::from_utf8_lossy(&version).lines().next().unwrap_or_default().into();
    let name = binary.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (count, number) = (selected.len(), AtomicUsize::new(0));
    let expected = expectations(options, binary)?;
    let done = |result: &CaseResult| {
        let Some(case) = cases.list.get(result.index) else { return };
        let number = number.fetch_add(1, Ordering::Relaxed) + 1;
        print::progress(&format!("[{number}/{count}] {name}: {}", case.title()));
        let title = case.title();
        let known = expected.reason(&title).is_some() || expected.is_sometimes(&title);
        if result.status == Status::Failed && !known && !options.mutate {
            print::note(&format!(
                "FAILED {}\n  {}\n",
                case.title(),
                result.detail.replace('\n', "\n  ")
            ));
        }
    };
    let is_known = |index: &usize| {
        let title = cases.list.get(*index).map(crate::case::Case::title);
        title.is_some_and(|title| expected.reason(&title).is_some())
    };
    let plan = Plan {
        binary: binary.to_path_buf(),
        selected: selected.to_vec(),
        known: selected.iter().copied().filter(is_known).collect(),
        jobs: options.jobs,
        mutate: options.mutate,
        // Engines' workers begin with namespaces of their own, which only a new program can enter.
        forks: options.suite == "conformance",
        end: options.within.map(|within| Instant::now() + within),
    };
    let results = run.cases(cases, &plan, &done)?;
    print::progress("");
    let untried = count - results.len();
    Ok(RuntimeResults { name, version, results, untried })
}

/// Where the known failures of a runtime are listed.
fn list_of(suite: &str, binary: &Path) -> PathBuf {
    let name = Flavor::of(binary).name();
    build::workspace().join(format!("tests/{suite}/expected/{name}.txt"))
}

/// Keeps what still fails, drops what passes, adds what is new with the beginning of its message.
fn update_list(
    cases: &Cases,
    results: &RuntimeResults,
    suite: &str,
    binary: &Path,
) -> anyhow::Result<()> {
    let path = list_of(suite, binary);
    let mut failing = std::collections::BTreeMap::new();
    let mut tried = BTreeSet::new();
    for result in &results.results {
        let Some(case) = cases.list.get(result.index) else { continue };
        tried.insert(case.title());
        if result.status == Status::Failed {
            let lines =
                result.detail.lines().map(str::trim).filter(|line| !line.starts_with('$')).take(3);
            let reason: String = lines.collect::<Vec<_>>().join(" ").chars().take(160).collect();
            failing.insert(case.title(), reason);
        }
    }
    Expected::update(&path, &failing, &tried).with_context(|| path.display().to_string())
}

pub(crate) fn expectations(options: &Options, binary: &Path) -> anyhow::Result<Expected> {
    if !options.expect {
        return Ok(Expected::default());
    }
    Expected::load(&list_of(options.suite, binary))
}
