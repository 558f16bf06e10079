//! Command lines as engines and people write them, and what they must mean.

use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use clap::error::ErrorKind;

use super::*;
use crate::{Exec, Kill, Launch, ListFormat, PlanFormat, Ps, Run, User};

fn try_parse(words: &[&str]) -> Result<Cli, clap::Error> {
    parse(std::iter::once("creel").chain(words.iter().copied()).map(OsString::from))
}

#[track_caller]
fn cli(line: &str) -> Cli {
    let words: Vec<&str> = line.split_whitespace().collect();
    try_parse(&words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Unwraps the command of a line.
macro_rules! command {
    ($variant:ident, $line:expr) => {
        match cli($line).command {
            Some(Command::$variant(args)) => args,
            other => panic!("{}: {other:?}", $line),
        }
    };
}

#[track_caller]
fn refused(line: &str, kind: ErrorKind, text: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let error = try_parse(&words).expect_err(line);
    assert_eq!((error.kind(), message(&error).as_str()), (kind, text), "{line}");
}

/// Two ways of writing the same line.
#[track_caller]
fn same(line: &str, other: &str) {
    assert_eq!(cli(line), cli(other), "{line} / {other}");
}

fn path(text: &str) -> Option<PathBuf> {
    Some(PathBuf::from(text))
}

fn launch(bundle: &str) -> Launch {
    Launch {
        bundle: PathBuf::from(bundle),
        config: None,
        console_socket: None,
        pidfd_socket: None,
        pid_file: None,
        no_pivot: false,
        no_new_keyring: false,
        preserve_fds: 0,
        no_subreaper: false,
    }
}

fn exec(id: &str, command: &[&str]) -> Exec {
    Exec {
        process: None,
        console_socket: None,
        pidfd_socket: None,
        cwd: None,
        env: vec![],
        tty: false,
        user: None,
        additional_gids: vec![],
        detach: false,
        pid_file: None,
        process_label: None,
        apparmor: None,
        no_new_privs: false,
        cap: vec![],
        preserve_fds: 0,
        cgroup: vec![],
        ignore_paused: false,
        id: id.into(),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
    }
}

fn check_definition(command: &clap::Command) {
    assert!(command.get_about().is_some(), "{} has no description", command.get_name());
    for arg in command.get_arguments() {
        assert!(arg.get_help().is_some(), "{} {} has no help", command.get_name(), arg.get_id());
        assert!(
            arg.is_positional() || arg.get_long().is_some(),
            "{}: an option is passed on by its long name",
            arg.get_id()
        );
    }
    command.get_subcommands().for_each(check_definition);
}

#[test]
fn the_definition_is_sound_and_every_option_is_described() {
    let mut whole = definition();
    whole.build();
    check_definition(&whole);
    assert!(whole.find_subcommand("exec").is_some_and(|exec| exec.get_arguments().count() > 15));
    whole.debug_assert();
}

#[test]
fn the_shim_of_containerd_creates() {
    let line = "--root /run/containerd/runc/k8s.io --log /b/log.json --log-format json create \
                --bundle /b --pid-file /b/init.pid --console-socket /tmp/pty.sock c1";
    let cli = cli(line);
    assert_eq!(cli.root, path("/run/containerd/runc/k8s.io"));
    assert_eq!(cli.log, path("/b/log.json"));
    assert_eq!(cli.log_format, LogFormat::Json);
    assert!(!cli.systemd_cgroup && !cli.debug && !cli.version);
    let expected = Launch {
        pid_file: path("/b/init.pid"),
        console_socket: path("/tmp/pty.sock"),
        ..launch("/b")
    };
    assert_eq!(command!(Create, line).launch, expected);
    assert_eq!(command!(Create, line).id, "c1");
}

#[test]
fn go_runc_sets_all_it_can() {
    let line = "--debug --log-format=json --log=/l --systemd-cgroup --rootless=true create \
                --bundle /b --no-pivot --no-new-keyring --preserve-fds 2 --pidfd-socket /s c1";
    let cli = cli(line);
    assert!(cli.debug && cli.systemd_cgroup);
    assert_eq!(cli.rootless, Rootless::True);
    let expected = Launch {
        no_pivot: true,
        no_new_keyring: true,
        preserve_fds: 2,
        pidfd_socket: path("/s"),
        ..launch("/b")
    };
    assert_eq!(command!(Create, line).launch, expected);
}

#[test]
fn containerd_drives_the_rest_of_a_life() {
    let kill = Kill { all: true, regex: false, id: "c1".into(), signal: "9".into() };
    assert_eq!(command!(Kill, "--root /r --log /l --log-format json kill --all c1 9"), kill);
    assert_eq!(command!(Kill, "kill c1").signal, "SIGTERM");
    assert!(command!(Delete, "--root /r delete --force c1").force);
    assert_eq!(command!(Start, "--root /r start c1").id, "c1");
    assert_eq!(command!(State, "--root /r state c1").id, "c1");
    assert_eq!(command!(Pause, "pause c1").id, "c1");
    assert_eq!(command!(Resume, "resume c1").id, "c1");
    assert_eq!(command!(List, "list --format=json").format, ListFormat::Json);
    let ps = Ps { format: ListFormat::Json, id: "c1".into(), options: vec![] };
    assert_eq!(command!(Ps, "ps --format json c1"), ps);
    cli("features");
}

#[test]
fn conmon_creates_without_cgroups_and_execs() {
    let line = "--cgroup-manager disabled --log-format=json --log /u/oci-log create --bundle /b \
                --pid-file /p --preserve-fds 1 c1";
    assert_eq!(cli(line).cgroup_manager, Some(CgroupManager::Disabled));
    let line = "exec --pid-file /p --process /proc.json --detach --tty --console-socket /s c1";
    let expected = Exec {
        pid_file: path("/p"),
        process: path("/proc.json"),
        detach: true,
        tty: true,
        console_socket: path("/s"),
        ..exec("c1", &[])
    };
    assert_eq!(command!(Exec, line), expected);
}

#[test]
fn buildah_kills_by_name() {
    assert_eq!(command!(Kill, "kill buildah-1 SIGKILL").signal, "SIGKILL");
    assert_eq!(command!(Create, "create --bundle /b --pid-file /p --console-socket /s b").id, "b");
}

#[test]
fn a_person_runs_in_the_current_directory() {
    let run = Run { launch: launch("."), detach: false, keep: false, id: "c1".into() };
    assert_eq!(command!(Run, "run c1"), run);
    let run = Run { launch: launch("/b"), detach: true, keep: true, id: "c1".into() };
    assert_eq!(command!(Run, "run -d -b /b --keep c1"), run);
    assert_eq!(command!(Run, "run -f other.json c1").launch.config, path("other.json"));
    assert!(command!(Run, "run --no-subreaper c1").launch.no_subreaper);
}

#[test]
fn every_option_of_exec_is_kept() {
    let line = "exec --cwd /w -e A=1 --env B=2=3 -t -u 7:8 -g 1 --additional-gids 2 -d --pid-file /p \
                --process-label l --apparmor a --no-new-privs -c CAP_KILL --cap CAP_CHOWN \
                --preserve-fds 3 --cgroup cpu:x --cgroup y --ignore-paused --pidfd-socket /f \
                --console-socket /s c1 sh";
    let expected = Exec {
        cwd: path("/w"),
        env: vec!["A=1".into(), "B=2=3".into()],
        tty: true,
        user: Some(User { uid: 7, gid: Some(8) }),
        additional_gids: vec![1, 2],
        detach: true,
        pid_file: path("/p"),
        process_label: Some("l".into()),
        apparmor: Some("a".into()),
        no_new_privs: true,
        cap: vec!["CAP_KILL".into(), "CAP_CHOWN".into()],
        preserve_fds: 3,
        cgroup: vec!["cpu:x".into(), "y".into()],
        ignore_paused: true,
        pidfd_socket: path("/f"),
        console_socket: path("/s"),
        ..exec("c1", &["sh"])
    };
    assert_eq!(command!(Exec, line), expected);
}

#[test]
fn words_after_the_container_belong_to_the_program() {
    let line = "exec -t c1 ps -ef --user=0 --debug -tty -- --help";
    let words = ["ps", "-ef", "--user=0", "--debug", "-tty", "--", "--help"];
    assert_eq!(command!(Exec, line), Exec { tty: true, ..exec("c1", &words) });
    assert!(!cli(line).debug);
    assert_eq!(command!(Exec, "exec c1 -t sh"), exec("c1", &["-t", "sh"]));
    assert_eq!(command!(Exec, "exec c1 -- sh -c x"), exec("c1", &["sh", "-c", "x"]));
    assert_eq!(command!(Exec, "exec -- c1 sh -c x"), exec("c1", &["sh", "-c", "x"]));
    assert_eq!(
        command!(Ps, "ps c1 -o pid,cmd --format x").options,
        ["-o", "pid,cmd", "--format", "x"]
    );
}

#[test]
fn an_option_takes_the_next_word_whatever_it_looks_like() {
    assert_eq!(command!(Exec, "exec --env -x --process-label --debug c1 sh").env, ["-x"]);
    let error = try_parse(&["run", "--preserve-fds", "-1", "c1"]).expect_err("negative count");
    assert_eq!(error.kind(), ErrorKind::ValueValidation);
}

#[test]
fn a_path_may_have_any_bytes() {
    let odd = || OsString::from_vec(b"/r\xff".to_vec());
    let words = ["creel".into(), "-root".into(), odd(), "list".into()];
    assert_eq!(parse(words).expect("bytes").root, Some(PathBuf::from(odd())));
}

#[test]
fn one_dash_is_as_good_as_two() {
    same("run -bundle /b -detach c1", "run --bundle=/b --detach c1");
    same("-root /r -debug run c1", "--root=/r --debug run c1");
    same("run --b /b --d c1", "run -b=/b -d c1");
    same("exec -cap CAP_KILL -tty=false c1 sh", "exec -c CAP_KILL c1 sh");
}

#[test]
fn short_options_may_be_joined() {
    same("run -db/b c1", "run --detach --bundle=/b c1");
    same("exec -tu 0:0 c1 sh -td", "exec --tty --user 0:0 c1 sh -td");
    same("list -qf=json", "list --quiet --format json");
}

#[test]
fn a_switch_may_carry_its_value() {
    same("run --no-pivot=true --detach=1 c1", "run --no-pivot --detach c1");
    same("run --no-pivot=false --detach=F c1", "run c1");
    same("run --detach --detach=false c1", "run c1");
    same("run -d=false --detach -d c1", "run -d c1");
    let text = "unexpected value 'maybe' for '--detach' found; no more were expected";
    refused("run --detach=maybe c1", ErrorKind::TooManyValues, text);
}

#[test]
fn options_of_the_program_may_follow_the_command() {
    same(
        "create --root /r c1 --log=/l --bundle /b --log-format json --rootless false",
        "--root /r --log /l --log-format json --rootless=false create --bundle /b c1",
    );
    same("kill c1 KILL --all", "kill --all c1 KILL");
}

#[test]
fn rootless_of_spec_is_a_switch_of_its_own() {
    assert!(command!(Spec, "spec --rootless").rootless);
    assert_eq!(cli("spec --rootless").rootless, Rootless::Auto);
    let line = "--rootless false spec --rootless -b /b -f x";
    assert_eq!(cli(line).rootless, Rootless::False);
    assert_eq!(command!(Spec, line).bundle, Path::new("/b"));
    assert_eq!(command!(Spec, line).file, path("x"));
}

#[test]
fn the_last_of_an_option_counts() {
    same("--root /a --root /b list -f table -f json", "--root /b list -f json");
}

#[test]
fn a_plan_is_printed_explained_or_described() {
    let plan = command!(Plan, "plan --format json /b");
    assert_eq!((plan.format, plan.bundle.as_path()), (PlanFormat::Json, Path::new("/b")));
    assert_eq!(command!(Plan, "plan --explain Mount /b").explain.as_deref(), Some("Mount"));
    assert!(command!(Plan, "plan --schema").schema);
}

#[test]
fn the_version_needs_no_command() {
    for line in ["--version", "-v", "-version", "--v"] {
        assert!(cli(line).version, "{line}");
    }
}

#[test]
fn help_is_an_error_that_prints() {
    for words in [&[][..], &["--help"], &["run", "-h"], &["run", "-help"], &["help", "run"]] {
        let error = try_parse(words).expect_err("help");
        assert_eq!(error.kind(), ErrorKind::DisplayHelp, "{words:?}");
    }
    let whole = try_parse(&[]).expect_err("help").to_string();
    assert!(whole.contains("Runs another process in a container"), "{whole}");
    let run = try_parse(&["run", "--help"]).expect_err("help").to_string();
    assert!(run.contains("Usage: creel run [OPTIONS] <ID>"), "{run}");
}

#[test]
fn a_wrong_line_is_refused_in_one_line() {
    use ErrorKind::*;
    refused("--debug", MissingSubcommand, "no command given");
    refused("bogus", InvalidSubcommand, "unrecognized subcommand 'bogus'");
    refused("run --bogus c1", UnknownArgument, "unexpected argument '--bogus' found");
    let missing = "a value is required for '--root <DIR>' but none was supplied";
    refused("delete list --root", InvalidValue, missing);
    refused("run c1 c2", UnknownArgument, "unexpected argument 'c2' found");
    refused(
        "exec c1",
        MissingRequiredArgument,
        "the following required arguments were not provided: <COMMAND>...",
    );
    refused(
        "exec -p /p c1 sh",
        ArgumentConflict,
        "the argument '--process <FILE>' cannot be used with '[COMMAND]...'",
    );
    refused(
        "exec -u root c1 sh",
        ValueValidation,
        "invalid value 'root' for '--user <UID[:GID]>': \
         expected UID[:GID], each a number from 0 to 4294967294",
    );
    refused(
        "list -f yaml",
        InvalidValue,
        "invalid value 'yaml' for '--format <FORMAT>' [possible values: table, json]",
    );
}

#[test]
fn users_are_numbers() {
    let user = |text: &str| text.parse::<User>().ok().map(|user| (user.uid, user.gid));
    assert_eq!(user("0"), Some((0, None)));
    assert_eq!(user("4294967294:1"), Some((u32::MAX - 1, Some(1))));
    for wrong in ["", ":", "1:", ":1", "+1", "-1", "4294967295", "1:2:3", "0x1", " 1"] {
        assert_eq!(user(wrong), None, "{wrong:?}");
    }
}
