//! What a reader sees of the file system (Landlock): its models and what the libraries in it load,
//! to be read; nothing else, and nothing to be written. A scan comes as an open file.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
    path_beneath_rules,
};

/// The version of Landlock whose limits are asked for: with it come TCP (4), devices (5) and signals
/// to processes outside (6). An older kernel enforces what it knows.
const WANTED: ABI = ABI::V6;

/// What shared libraries, Tesseract and pdfium read of a system: code, locales, trained data, fonts.
/// What is not there is passed over.
const SYSTEM: [&str; 9] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/usr/share/tesseract-ocr",
    "/usr/share/tessdata",
    "/usr/share/fonts",
];

/// Variables that name further folders of libraries and trained data, separated by colons.
const NAMED_BY: [&str; 2] = ["LD_LIBRARY_PATH", "TESSDATA_PREFIX"];

/// Limits this thread, and all that it will start, to reading `readable` and the system's libraries.
/// Does nothing where the kernel has no Landlock: [`version`] tells.
pub(super) fn limit_to(readable: &[PathBuf]) -> Result<(), RulesetError> {
    let named = NAMED_BY.iter().filter_map(std::env::var_os);
    let named: Vec<PathBuf> =
        named.flat_map(|paths| std::env::split_paths(&paths).collect::<Vec<_>>()).collect();
    let system = SYSTEM.iter().map(Path::new);
    // An empty entry would stand for the working folder.
    let named = named.iter().map(PathBuf::as_path).filter(|path| path.is_absolute());
    let paths = readable.iter().map(PathBuf::as_path).chain(system).chain(named);
    Ruleset::default()
        .handle_access(AccessFs::from_all(WANTED))?
        .handle_access(AccessNet::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()?
        .add_rules(path_beneath_rules(paths, AccessFs::ReadFile | AccessFs::ReadDir))?
        .restrict_self()
        .map(drop)
}

/// The kernel's version of Landlock; 0 where it has none, or none that is switched on.
pub(super) fn version() -> u32 {
    const ASK_FOR_VERSION: libc::c_long = 1;
    // SAFETY: asked for its version, the call takes no memory: a null pointer of size 0.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, ASK_FOR_VERSION)
    };
    u32::try_from(version).unwrap_or(0)
}

/// The version from which on nothing is missing.
pub(super) fn wanted_version() -> u32 {
    WANTED as u32
}
