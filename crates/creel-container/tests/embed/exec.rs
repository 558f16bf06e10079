use creel_container::{ContainerId, ExecOptions, Result, Runtime, worker_entry};

fn main() -> Result<()> {
    worker_entry();
    let container = Runtime::new("/run/my-program").open(&ContainerId::parse("web")?)?;
    // The user, environment and limits of its first process, another program.
    let mut process = container.config()?.spec.process.unwrap_or_default();
    process.args = Some(vec!["/bin/date".to_owned()]);
    let launched = container.exec(&process, ExecOptions::default())?;
    println!("process {} ended with {:?}", launched.pid(), launched.wait());
    Ok(())
}
