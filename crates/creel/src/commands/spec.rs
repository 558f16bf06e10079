//! `creel spec`: a config to start from, equal in meaning to runc's.
//!
//! Its version is the one that has all it uses: runtimes refuse configs of versions that they do not know. Ambient
//! capabilities are left out: without inheritable ones they cannot be had.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use creel_cgroups::{Hierarchies, Layout};
use creel_cli::Spec;

use super::Done;
use crate::exit::ExitCode;
use crate::failure::Failure;

/// The config, with marks where variants differ.
const TEMPLATE: &str = include_str!("spec.json");

pub(super) fn run(args: &Spec) -> Done {
    let name = args.file.as_deref().unwrap_or(Path::new("config.json"));
    let path = args.bundle.join(name);
    let failed = |error: std::io::Error| Failure::new(format!("write {}: {error}", path.display()));
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let path = path.display();
            return Err(Failure::new(format!("{path} exists: remove it first, or use --file")));
        }
        opened => opened.map_err(failed)?,
    };
    let variant = if args.rootless { Variant::rootless() } else { Variant::ROOT };
    let layout = Hierarchies::detect(Path::new("/sys/fs/cgroup")).map(|it| it.layout());
    let text = variant.text(layout.is_ok_and(|layout| layout == Layout::V2));
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}

/// What differs between a config for root and one for others.
struct Variant {
    /// A group of the container may not be mapped, so devpts cannot be given to it.
    tty: &'static str,
    /// sysfs can be mounted by who owns the network namespace.
    sys: &'static str,
    limits: String,
    namespaces: &'static str,
}

impl Variant {
    const ROOT: Self = Self {
        tty: ",\n\t\t\t\t\"gid=5\"",
        sys: "\"type\": \"sysfs\",\n\t\t\t\"source\": \"sysfs\",\n\t\t\t\"options\": [",
        limits: String::new(),
        namespaces: "\t\t\t{ \"type\": \"network\" },\n",
    };

    fn rootless() -> Self {
        let mapping = |key, id| {
            format!("\t\t\"{key}\": [{{ \"containerID\": 0, \"hostID\": {id}, \"size\": 1 }}],\n")
        };
        let uids = mapping("uidMappings", rustix::process::geteuid().as_raw());
        let gids = mapping("gidMappings", rustix::process::getegid().as_raw());
        Self {
            tty: "",
            sys: "\"type\": \"none\",\n\t\t\t\"source\": \"/sys\",\n\t\t\t\"options\": [\n\t\t\t\t\"rbind\",",
            limits: uids + &gids,
            namespaces: "\t\t\t{ \"type\": \"user\" },\n",
        }
    }

    fn text(&self, v2: bool) -> String {
        // Without limits of its own a config still denies devices, which only root can.
        let devices = "\t\t\"resources\": {\n\t\t\t\"devices\": [{ \"allow\": false, \"access\": \"rwm\" }]\n\t\t},\n";
        let limits = if self.limits.is_empty() { devices } else { &self.limits };
        let cgroup = if v2 { "\t\t\t{ \"type\": \"cgroup\" },\n" } else { "" };
        TEMPLATE
            .replace("@TTY@", self.tty)
            .replace("@SYS@", self.sys)
            .replace("@LIMITS@\n", limits)
            .replace("@NAMESPACES@\n", &(self.namespaces.to_owned() + cgroup))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_json_without_marks() {
        for variant in [Variant::ROOT, Variant::rootless()] {
            for v2 in [false, true] {
                let text = variant.text(v2);
                serde_json::from_str::<serde_json::Value>(&text).unwrap();
                assert!(!text.contains('@'), "{text}");
                assert_eq!(text.contains("{ \"type\": \"cgroup\" }"), v2);
            }
        }
    }
}
