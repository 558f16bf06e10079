//! libseccomp, found at run time.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::{Read, Seek};
use std::mem::transmute_copy;
use std::os::fd::{AsRawFd, FromRawFd};

use creel_seccomp::{Arch, Arg, Instruction, Operator, Profile, Rule};

#[repr(C)]
#[derive(Clone, Copy)]
struct Comparison {
    arg: c_uint,
    op: c_uint,
    value: u64,
    value_two: u64,
}

pub(crate) struct Scmp {
    init: unsafe extern "C" fn(u32) -> *mut c_void,
    release: unsafe extern "C" fn(*mut c_void),
    arch_add: unsafe extern "C" fn(*mut c_void, u32) -> c_int,
    arch_remove: unsafe extern "C" fn(*mut c_void, u32) -> c_int,
    rule_add: unsafe extern "C" fn(*mut c_void, u32, c_int, c_uint, *const Comparison) -> c_int,
    export: unsafe extern "C" fn(*mut c_void, c_int) -> c_int,
    resolve: unsafe extern "C" fn(u32, *const c_char) -> c_int,
}

/// `SCMP_ARCH_*` differs from `AUDIT_ARCH_*` for x32 alone.
fn token(arch: Arch) -> u32 {
    if arch == Arch::X32 { 0x4000_003e } else { arch.audit() }
}

fn symbol<T>(library: *mut c_void, name: &CStr) -> T {
    // SAFETY: the library stays open for the life of the process.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    assert!(!address.is_null(), "{name:?}");
    assert_eq!(size_of::<T>(), size_of_val(&address));
    // SAFETY: `T` is the type of the function of that name in seccomp.h.
    unsafe { transmute_copy(&address) }
}

impl Scmp {
    pub(crate) fn open() -> Option<Self> {
        if Arch::native() != Arch::X86_64 {
            println!(
                "skipped: libseccomp takes numbers of its own machine, the test those of x86-64"
            );
            return None;
        }
        // SAFETY: loading libseccomp runs no code that has demands.
        let library = unsafe { libc::dlopen(c"libseccomp.so.2".as_ptr(), libc::RTLD_NOW) };
        if library.is_null() {
            println!("skipped: libseccomp.so.2 is not installed");
            return None;
        }
        Some(Self {
            init: symbol(library, c"seccomp_init"),
            release: symbol(library, c"seccomp_release"),
            arch_add: symbol(library, c"seccomp_arch_add"),
            arch_remove: symbol(library, c"seccomp_arch_remove"),
            rule_add: symbol(library, c"seccomp_rule_add_array"),
            export: symbol(library, c"seccomp_export_bpf"),
            resolve: symbol(library, c"seccomp_syscall_resolve_name_arch"),
        })
    }

    /// The number of a name: negative if it is known but no call of its own on `arch`.
    pub(crate) fn number(&self, name: &str, arch: Arch) -> Option<i32> {
        let name = CString::new(name).unwrap();
        // SAFETY: a token and a string that ends with NUL.
        let number = unsafe { (self.resolve)(token(arch), name.as_ptr()) };
        (number != -1).then_some(number)
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        self.number(name, Arch::X86_64).is_some()
    }

    /// Compiles as runc does; `None` if libseccomp refuses the rules.
    pub(crate) fn compile(&self, profile: &Profile, machine: Arch) -> Option<Vec<Instruction>> {
        // SAFETY: any action is allowed here; null is checked.
        let context = unsafe { (self.init)(profile.default_action.ret()) };
        assert!(!context.is_null());
        let mut archs: Vec<Arch> = profile.architectures.clone();
        archs.push(machine);
        for arch in &archs {
            // SAFETY: the context is live.
            unsafe { (self.arch_add)(context, token(*arch)) };
        }
        if !archs.contains(&Arch::X86_64) {
            // SAFETY: the context is live.
            unsafe { (self.arch_remove)(context, token(Arch::X86_64)) };
        }
        let added = profile.rules.iter().all(|rule| self.add(context, profile, rule));
        let program = added.then(|| self.program(context));
        // SAFETY: the context is not used any more.
        unsafe { (self.release)(context) };
        program
    }

    fn add(&self, context: *mut c_void, profile: &Profile, rule: &Rule) -> bool {
        if rule.action == profile.default_action {
            return true;
        }
        let all: Vec<Comparison> = rule.args.iter().map(comparison).collect();
        let duplicate =
            (0..6).any(|index| rule.args.iter().filter(|arg| arg.index == index).count() > 1);
        let chunks: Vec<&[Comparison]> =
            if duplicate { all.chunks(1).collect() } else { vec![&all] };
        rule.names.iter().all(|name| {
            let Some(number) = self.number(name, Arch::X86_64) else { return true };
            chunks.iter().all(|chunk| {
                let count = c_uint::try_from(chunk.len()).unwrap();
                // SAFETY: `count` comparisons stand at the address.
                let result = unsafe {
                    (self.rule_add)(context, rule.action.ret(), number, count, chunk.as_ptr())
                };
                result == 0
            })
        })
    }

    fn program(&self, context: *mut c_void) -> Vec<Instruction> {
        // SAFETY: a name that ends with NUL.
        let fd = unsafe { libc::memfd_create(c"bpf".as_ptr(), libc::MFD_CLOEXEC) };
        assert!(fd >= 0);
        // SAFETY: the fd is new and nobody else's.
        let mut file = unsafe { File::from_raw_fd(fd) };
        // SAFETY: the context is live, the fd is open.
        assert_eq!(unsafe { (self.export)(context, file.as_raw_fd()) }, 0);
        file.rewind().unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let instructions = bytes.as_chunks::<8>().0.iter();
        instructions
            .map(|b| Instruction {
                code: u16::from_ne_bytes([b[0], b[1]]),
                jt: b[2],
                jf: b[3],
                k: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
            })
            .collect()
    }
}

fn comparison(arg: &Arg) -> Comparison {
    let op = 1 + Operator::ALL.iter().position(|op| *op == arg.op).unwrap();
    Comparison {
        arg: arg.index.into(),
        op: c_uint::try_from(op).unwrap(),
        value: arg.value,
        value_two: arg.value_two,
    }
}
