use creel_container::{Bundle, ContainerId, CreateOptions, Result, Runtime, worker_entry};

fn main() -> Result<()> {
    worker_entry();
    let runtime = Runtime::new("/run/my-program");
    let bundle = Bundle::open("/var/lib/my-program/web".as_ref(), None)?;
    let id = ContainerId::parse("web")?;
    let mut container = runtime.create(&id, &bundle, CreateOptions::default())?;
    container.start()?;
    let code = container.wait()?;
    container.delete()?;
    println!("it ended with {code}");
    Ok(())
}
