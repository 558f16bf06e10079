//! `creel run`.

use creel_cli::Run;
use creel_container::{Bundle, ContainerId};

use super::{Done, create};
use crate::Context;
use crate::exit::ExitCode;
use crate::foreground::Foreground;

pub(super) fn run(context: &Context<'_>, args: Run) -> Done {
    let id = ContainerId::parse(&args.id)?;
    let mut bundle = Bundle::open(&args.launch.bundle, args.launch.config.as_deref())?;
    let subreaper = !args.launch.no_subreaper;
    let mut options = create::options(context, args.launch);
    let runtime = context.runtime()?;
    if args.detach {
        let mut container = runtime.create(&id, &bundle, options)?;
        return match container.start() {
            Ok(()) => {
                container.await_ready();
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                container.delete_own()?;
                Err(error.into())
            }
        };
    }
    let mut foreground = Foreground::prepare(subreaper)?;
    foreground.give_terminal(&mut bundle, &mut options)?;
    let mut container = runtime.create(&id, &bundle, options)?;
    let result = container.start().map_err(Into::into).and_then(|()| {
        context.log.flush();
        foreground.forward(container.take_notify());
        container.init().map_or(Ok(0), |init| foreground.accompany(init))
    });
    if !args.keep || result.is_err() {
        container.delete_own()?;
    }
    result.map(|code| ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
}
