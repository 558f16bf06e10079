//! The options of a mount: the tables of config.md#posix-platform-mounts.

use crate::step::{Attributes, Links, Propagation};

const RDONLY: u64 = 0x1;
const NOSUID: u64 = 0x2;
const NODEV: u64 = 0x4;
const NOEXEC: u64 = 0x8;
const ATIME: u64 = 0x70;
const RELATIME: u64 = 0x0;
const NOATIME: u64 = 0x10;
const STRICTATIME: u64 = 0x20;
const NODIRATIME: u64 = 0x80;
const NOSYMFOLLOW: u64 = 0x20_0000;

/// What one option does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Set(u64),
    Clear(u64),
    /// One of the three access time modes.
    Atime(u64),
    /// A flag of the superblock, by the key that `fsconfig(2)` knows.
    Superblock(&'static str),
    Bind,
    Rbind,
    Remount,
    CopyUp,
    /// What a bind does with symbolic links.
    CopySymlink,
    SrcNofollow,
    DestNofollow,
    /// Accepted; the kernel has no such thing, or no longer.
    Nothing,
}

use Effect::{
    Atime, Bind, Clear, CopySymlink, CopyUp, DestNofollow, Nothing, Rbind, Remount, Set,
    SrcNofollow, Superblock,
};

/// Whether and what a mount binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Binding {
    #[default]
    Nothing,
    /// `bind`
    One,
    /// `rbind`: all mounts below too.
    Tree,
}

/// Options of one mount, sorted by what they do.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    pub(super) bind: Binding,
    pub(super) remount: bool,
    pub(super) copy_up: bool,
    pub(super) links: Links,
    pub(super) attributes: Attributes,
    pub(super) recursive: Attributes,
    pub(super) propagation: Vec<Propagation>,
    /// Superblock flags in their order.
    pub(super) superblock: Vec<&'static str>,
    /// Everything else, for the filesystem.
    pub(super) data: Vec<&'a str>,
}

impl<'a> Options<'a> {
    /// Sorts `options`; of two that contradict each other the later one holds. Empty ones ask for nothing.
    pub(super) fn read(options: impl Iterator<Item = &'a str>) -> Self {
        let mut read = Self::default();
        for option in options.filter(|option| !option.is_empty()) {
            if let Some(effect) = effect(option) {
                read.apply(effect);
            } else if let Some(propagation) = propagation(option) {
                read.propagation.push(propagation);
            } else if let Some(effect) = recursive_effect(option) {
                change(&mut read.recursive, effect);
            } else {
                read.data.push(option);
            }
        }
        read
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Set(_) | Clear(_) | Atime(_) => change(&mut self.attributes, effect),
            Superblock(key) => self.superblock.push(key),
            Bind => self.bind = Binding::One.max(self.bind),
            Rbind => self.bind = Binding::Tree,
            Remount => self.remount = true,
            CopyUp => self.copy_up = true,
            CopySymlink => self.links.copy = true,
            SrcNofollow => self.links.keep_source = true,
            DestNofollow => self.links.keep_destination = true,
            Nothing => {}
        }
    }

    /// Whether the mount is asked to be read-only.
    pub(super) fn is_readonly(&self) -> bool {
        self.attributes.set & RDONLY != 0
    }

    /// Takes the read-only attribute away.
    pub(super) fn writable(&mut self) {
        self.attributes.set &= !RDONLY;
    }
}

/// The attribute that makes a mount read-only.
pub(super) const fn readonly() -> Attributes {
    Attributes { set: RDONLY, clear: 0 }
}

/// The attributes of a mount that holds nothing to execute, to open as a device or to write.
pub(super) const fn harmless() -> Attributes {
    Attributes { set: RDONLY | NOSUID | NODEV | NOEXEC, clear: 0 }
}

fn change(attributes: &mut Attributes, effect: Effect) {
    match effect {
        Set(bits) => {
            attributes.set |= bits;
            attributes.clear &= !bits;
        }
        Clear(bits) => {
            attributes.set &= !bits;
            attributes.clear |= bits;
        }
        // mount_setattr(2) takes a new mode only together with all bits of the old one.
        Atime(mode) => {
            attributes.set = attributes.set & !ATIME | mode;
            attributes.clear |= ATIME;
        }
        Superblock(_) | Bind | Rbind | Remount | CopyUp | CopySymlink | SrcNofollow
        | DestNofollow | Nothing => {}
    }
}

/// The options that are attributes of a mount; each is also known with an `r` in front, for the whole tree.
const ATTRIBUTES: [(&str, Effect); 18] = [
    ("ro", Set(RDONLY)),
    ("rw", Clear(RDONLY)),
    ("nosuid", Set(NOSUID)),
    ("suid", Clear(NOSUID)),
    ("nodev", Set(NODEV)),
    ("dev", Clear(NODEV)),
    ("noexec", Set(NOEXEC)),
    ("exec", Clear(NOEXEC)),
    ("nodiratime", Set(NODIRATIME)),
    ("diratime", Clear(NODIRATIME)),
    ("nosymfollow", Set(NOSYMFOLLOW)),
    ("symfollow", Clear(NOSYMFOLLOW)),
    ("noatime", Atime(NOATIME)),
    ("strictatime", Atime(STRICTATIME)),
    // The kernel's default is relatime: it is what is left when the other modes are taken away.
    ("relatime", Atime(RELATIME)),
    ("atime", Atime(RELATIME)),
    ("nostrictatime", Atime(RELATIME)),
    ("norelatime", Atime(RELATIME)),
];

/// The options that are neither attributes nor propagation words.
const OTHERS: [(&str, Effect); 19] = [
    ("bind", Bind),
    ("rbind", Rbind),
    ("remount", Remount),
    ("tmpcopyup", CopyUp),
    // crun's.
    ("copy-symlink", CopySymlink),
    ("src-nofollow", SrcNofollow),
    ("dest-nofollow", DestNofollow),
    ("sync", Superblock("sync")),
    ("async", Superblock("async")),
    ("dirsync", Superblock("dirsync")),
    ("lazytime", Superblock("lazytime")),
    ("nolazytime", Superblock("nolazytime")),
    ("mand", Superblock("mand")),
    ("nomand", Superblock("nomand")),
    // The kernel's new mount interface has no such flags: what they did is the filesystem's own affair now.
    ("defaults", Nothing),
    ("iversion", Nothing),
    ("noiversion", Nothing),
    ("loud", Nothing),
    ("silent", Nothing),
];

/// The propagation words; each is also known with an `r` in front.
const PROPAGATIONS: [(&str, libc::c_ulong); 4] = [
    ("shared", libc::MS_SHARED),
    ("slave", libc::MS_SLAVE),
    ("private", libc::MS_PRIVATE),
    ("unbindable", libc::MS_UNBINDABLE),
];

/// Every option that is known here, sorted: what is none of them is for the filesystem.
pub(crate) fn mount_options() -> Vec<String> {
    let attributes = ATTRIBUTES.iter().map(|(option, _)| *option);
    let propagations = PROPAGATIONS.iter().map(|(option, _)| *option);
    let both = attributes.chain(propagations);
    let others = OTHERS.iter().map(|(option, _)| (*option).to_owned());
    let mut all: Vec<String> =
        both.flat_map(|option| [option.to_owned(), format!("r{option}")]).chain(others).collect();
    all.sort();
    all
}

/// The options that are not propagation words, and not recursive.
fn effect(option: &str) -> Option<Effect> {
    attribute(option).or_else(|| found(&OTHERS, option))
}

/// The options that are attributes of a mount.
fn attribute(option: &str) -> Option<Effect> {
    found(&ATTRIBUTES, option)
}

fn found<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == word).map(|(_, it)| *it)
}

/// The recursive options: an attribute with an `r` in front, for the whole tree (`mount_setattr(2)`, Linux 5.12).
fn recursive_effect(option: &str) -> Option<Effect> {
    option.strip_prefix('r').and_then(attribute)
}

/// A propagation word.
pub(super) fn propagation(word: &str) -> Option<Propagation> {
    let (word, recursive) = match word.strip_prefix('r') {
        Some(plain) => (plain, true),
        None => (word, false),
    };
    let flag = found(&PROPAGATIONS, word)?;
    Some(Propagation { flag, recursive })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(set: u64, clear: u64) -> Attributes {
        Attributes { set, clear }
    }

    #[test]
    fn options_become_attributes() {
        for (options, own, recursive) in [
            ("", attributes(0, 0), attributes(0, 0)),
            ("ro,nosuid,nodev", attributes(7, 0), attributes(0, 0)),
            ("ro,rw", attributes(0, RDONLY), attributes(0, 0)),
            ("noatime", attributes(NOATIME, ATIME), attributes(0, 0)),
            ("noatime,strictatime", attributes(STRICTATIME, ATIME), attributes(0, 0)),
            ("noatime,relatime", attributes(0, ATIME), attributes(0, 0)),
            ("nosymfollow", attributes(NOSYMFOLLOW, 0), attributes(0, 0)),
            ("rro,rnosuid", attributes(0, 0), attributes(3, 0)),
            (
                "rrw,rnoatime,rnodiratime",
                attributes(0, 0),
                attributes(NOATIME | NODIRATIME, RDONLY | ATIME),
            ),
            ("ro,rrelatime", attributes(1, 0), attributes(0, ATIME)),
        ] {
            let read = Options::read(options.split(','));
            assert_eq!((read.attributes, read.recursive), (own, recursive), "{options}");
            assert!(read.data.is_empty(), "{options}");
        }
    }

    #[test]
    fn every_option_of_the_specification_is_known() {
        let plain = "async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev \
            nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private rbind \
            relatime remount ro rprivate rshared rslave runbindable rw shared silent slave strictatime suid symfollow \
            sync tmpcopyup unbindable";
        let recursive = "ratime rdev rdiratime rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime \
            rnosuid rnosymfollow rrelatime rro rrw rstrictatime rsuid rsymfollow";
        let known = mount_options();
        for option in plain.split_whitespace().chain(recursive.split_whitespace()) {
            assert!(Options::read([option].into_iter()).data.is_empty(), "{option}");
            assert!(known.iter().any(|it| it == option), "{option}");
        }
        for option in known {
            assert!(Options::read([option.as_str()].into_iter()).data.is_empty(), "{option}");
        }
    }

    #[test]
    fn the_rest_is_for_the_filesystem() {
        let read = Options::read("rbind,sync,size=64k,tmpcopyup,rslave,,foo".split(','));
        assert!(read.bind == Binding::Tree && read.copy_up);
        assert_eq!(read.superblock, ["sync"]);
        assert_eq!(read.data, ["size=64k", "foo"]);
        assert_eq!(read.propagation, [Propagation { flag: libc::MS_SLAVE, recursive: true }]);
    }
}
