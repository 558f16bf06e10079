//! `creel plan`.

use creel_cli::{CgroupManager, Plan, PlanFormat};
use creel_container::{
    Bundle, Host, PLAN_SCHEMA, PlanOptions, Report, compile, explain, step_kinds,
};

use super::{Done, create, output};
use crate::Context;
use crate::failure::Failure;
use crate::root;

pub(super) fn run(context: &Context<'_>, args: &Plan) -> Done {
    if args.schema {
        return output::text(PLAN_SCHEMA);
    }
    if let Some(explanation) = args.explain.as_deref().and_then(explain) {
        return output::text(&explanation.to_string());
    }
    let bundle = Bundle::open(&args.bundle, None)?;
    let report = match report(context, &bundle) {
        Ok(report) => report,
        Err(faults) => return refused(args.format, &faults),
    };
    match (&args.explain, args.format) {
        (Some(step), _) => output::text(&explained(&report, step)?),
        (None, PlanFormat::Text) => output::text(&report.to_string()),
        (None, PlanFormat::Json) => output::json(&report),
    }
}

/// The plan for a container that is named as the bundle's directory is; or the faults of its config.
fn report(context: &Context<'_>, bundle: &Bundle) -> Result<Report, Report> {
    let name = bundle.directory.file_name().and_then(|name| name.to_str());
    let mut options = PlanOptions::new(name.unwrap_or("container"));
    options.no_cgroup = context.cli.cgroup_manager == Some(CgroupManager::Disabled);
    options.notify = create::notify_socket()
        .and_then(|_| root::directory(context.cli.root.as_deref()).ok())
        .map(|root| root.join(&options.id).join("notify"));
    let plan = compile(bundle, &Host::ask(&bundle.spec), &options)
        .map_err(|faults| Report::of_faults(bundle, &faults))?;
    Ok(Report::new(bundle, &plan))
}

/// Fails with the first fault, and shows the others to people, or all to programs.
fn refused(format: PlanFormat, report: &Report) -> Done {
    if format == PlanFormat::Json {
        output::json(report)?;
    }
    let mut faults = report.to_string().lines().map(str::to_owned).collect::<Vec<_>>().into_iter();
    let mut failure = Failure::new(faults.next().unwrap_or_default());
    failure.more = faults.collect();
    Err(failure)
}

/// What is behind the step of this number.
fn explained(report: &Report, step: &str) -> Result<String, Failure> {
    let number = step.parse::<usize>().ok();
    let row = report.steps.iter().find(|row| Some(row.number) == number);
    let explanation = row.and_then(|row| Some((row, explain(row.step)?)));
    let (row, explanation) = explanation.ok_or_else(|| {
        let kinds: Vec<_> = step_kinds().collect();
        let last = report.steps.len();
        Failure::new(format!("--explain: expected 1 to {last}, or one of {}", kinds.join(", ")))
    })?;
    Ok(format!("{}: {}\n{explanation}", row.pointer, row.does))
}
