//! A plan for people and programs: what `creel plan` prints.

use std::fmt;

use serde::Serialize;

use super::{Hook, Plan, Stage, setting_pointer};
use crate::bundle::Bundle;
use crate::error::ConfigError;
use crate::pointer::Pointer;
use crate::step::{Kind, Step};

/// The JSON schema of a serialized [`Report`].
pub const PLAN_SCHEMA: &str = include_str!("schema.json");

/// A plan as a list of lines, or the faults that stand in its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The version of this form: 1.
    pub version: u32,
    /// The bundle's directory.
    pub bundle: String,
    /// The config's file.
    pub config: String,
    /// What happens, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Row>,
    /// What was asked for and cannot be, where the specification says to warn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What is wrong with the config; then there are no steps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// Its place in the plan, from 1.
    pub number: usize,
    /// Who does it, and when.
    pub stage: Stage,
    /// The name of its kind, for `--explain`.
    pub step: &'static str,
    /// What of the config asks for it.
    pub pointer: String,
    /// The line of that in the config, if it is written there.
    pub line: Option<usize>,
    /// What is done.
    pub does: String,
}

/// One fault of the config.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fault {
    /// Where.
    pub pointer: String,
    /// The line of that, or of what it is missing in.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl Report {
    /// Everything that happens by `plan`, from create to delete.
    #[must_use]
    pub fn new(bundle: &Bundle, plan: &Plan) -> Self {
        let mut report = Self::empty(bundle);
        report.warnings.clone_from(&plan.warnings);
        report.host(plan, device_rules(bundle));
        report.clone_of(plan);
        report.child(plan);
        report.start(plan);
        report.delete(plan);
        let pointers: Vec<&str> = report.steps.iter().map(|row| row.pointer.as_str()).collect();
        let lines = bundle.lines(&pointers);
        for (row, line) in report.steps.iter_mut().zip(lines) {
            row.line = line;
        }
        report
    }

    /// All that is wrong with the config.
    #[must_use]
    pub fn of_faults(bundle: &Bundle, faults: &[ConfigError]) -> Self {
        let faults = faults.iter().map(|fault| Fault {
            pointer: fault.at.to_string(),
            line: fault.line,
            message: match fault.found.as_str() {
                "" => fault.expected.clone(),
                found => format!("{}, found {found}", fault.expected),
            },
        });
        Self { faults: faults.collect(), ..Self::empty(bundle) }
    }

    fn empty(bundle: &Bundle) -> Self {
        Self {
            version: 1,
            bundle: bundle.directory.display().to_string(),
            config: bundle.file.display().to_string(),
            steps: Vec::new(),
            warnings: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn push(&mut self, stage: Stage, step: &'static str, at: &Pointer, does: String) {
        let number = self.steps.len() + 1;
        self.steps.push(Row { number, stage, step, pointer: at.to_string(), line: None, does });
    }

    fn host(&mut self, plan: &Plan, device_rules: usize) {
        for joined in &plan.joined {
            let does = format!("open the {} namespace {}", joined.kind.word(), joined.path);
            self.push(Stage::Host, "OpenNamespace", &joined.at, does);
        }
        let Some(cgroup) = &plan.cgroup else { return };
        let hierarchies = match cgroup.hierarchies.list().len() {
            1 => "1 hierarchy".to_owned(),
            count => format!("{count} hierarchies"),
        };
        let does = format!("make the cgroup /{} in {hierarchies}", cgroup.path);
        self.push(Stage::Host, "Cgroup", &Pointer::new("linux.cgroupsPath"), does);
        for write in &cgroup.settings.writes {
            // The rules that every container gets stand after those of the config.
            let at = match (write.setting.name, write.setting.index) {
                ("devices", Some(index)) if index >= device_rules => {
                    Pointer::new("linux.resources.devices")
                }
                _ => setting_pointer(&write.setting),
            };
            self.push(Stage::Host, "CgroupSetting", &at, write.to_string());
        }
        if cgroup.settings.device_program.is_some() {
            let at = Pointer::new("linux.resources.devices");
            self.push(Stage::Host, "DeviceProgram", &at, "attach the device program".to_owned());
        }
    }

    fn clone_of(&mut self, plan: &Plan) {
        let at = Pointer::new("linux.namespaces");
        for joined in plan.joined.iter().filter(|joined| joined.kind == Kind::Pid) {
            let does = format!("enter the pid namespace {} for the clone", joined.path);
            self.push(Stage::Clone, "JoinNamespace", &joined.at, does);
        }
        for line in &plan.time_offsets {
            let at = Pointer::new("linux.timeOffsets");
            self.push(Stage::Clone, "TimeOffset", &at, format!("set the time offset {line}"));
        }
        let kinds: Vec<&str> = plan.new.iter().map(|(kind, _)| kind.word()).collect();
        let does = match kinds.is_empty() {
            true => "clone".to_owned(),
            false => format!("clone with new namespaces: {}", kinds.join(", ")),
        };
        self.push(Stage::Clone, "Clone", &at, does);
    }

    fn child(&mut self, plan: &Plan) {
        let mut stage = Stage::Setup;
        for planned in &plan.steps {
            self.push(stage, planned.step.kind_word(), &planned.at, planned.step.to_string());
            if matches!(planned.step, Step::AwaitGo) {
                stage = Stage::Child;
            } else if matches!(planned.step, Step::RequestHooks) {
                self.hooks(Stage::Runtime, &plan.hooks.prestart);
                self.hooks(Stage::Runtime, &plan.hooks.create_runtime);
            } else if matches!(planned.step, Step::CreateContainerHooks) {
                self.hooks(stage, &plan.hooks.create_container);
            }
        }
    }

    fn start(&mut self, plan: &Plan) {
        self.hooks(Stage::Start, &plan.hooks.start_container);
        if let Some(program) = &plan.program {
            let args: Vec<String> = program.args.iter().map(ToString::to_string).collect();
            let at = Pointer::new("process.args");
            self.push(Stage::Start, "Exec", &at, format!("execute {}", args.join(" ")));
        }
        self.hooks(Stage::Start, &plan.hooks.poststart);
    }

    fn delete(&mut self, plan: &Plan) {
        if let Some(cgroup) = &plan.cgroup {
            let does = format!("remove the cgroup /{}", cgroup.path);
            self.push(Stage::Delete, "RemoveCgroup", &Pointer::new("linux.cgroupsPath"), does);
        }
        self.hooks(Stage::Delete, &plan.hooks.poststop);
    }

    fn hooks(&mut self, stage: Stage, hooks: &[Hook]) {
        for hook in hooks {
            let mut does = format!("run {}", hook.path);
            if let Some(seconds) = hook.timeout {
                does.push_str(&format!(", at most {seconds} s"));
            }
            self.push(stage, "Hook", &hook.at, does);
        }
    }
}

/// How many rules `linux.resources.devices` has.
fn device_rules(bundle: &Bundle) -> usize {
    let resources = bundle.spec.linux.as_ref().and_then(|linux| linux.resources().as_ref());
    resources.and_then(|resources| resources.devices().as_ref()).map_or(0, Vec::len)
}

impl fmt::Display for Report {
    /// Lines for people: number, stage, pointer, what is done; or the faults, one a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            match fault.line {
                Some(line) => {
                    writeln!(f, "{} (config.json:{line}): {}", fault.pointer, fault.message)?;
                }
                None => writeln!(f, "{}: {}", fault.pointer, fault.message)?,
            }
        }
        let digits = self.steps.len().to_string().len();
        let width =
            self.steps.iter().map(|row| row.pointer.chars().count()).max().unwrap_or(0).min(44);
        for row in &self.steps {
            writeln!(
                f,
                "{:>digits$}  {:<7}  {:<width$}  {}",
                row.number,
                row.stage.word(),
                row.pointer,
                row.does
            )?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}

impl Stage {
    /// The word for people and programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Clone => "clone",
            Self::Setup => "setup",
            Self::Child => "child",
            Self::Runtime => "runtime",
            Self::Start => "start",
            Self::Delete => "delete",
        }
    }
}

impl Serialize for Stage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
