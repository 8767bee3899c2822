//! A reader that crashes, hangs, eats memory or talks nonsense costs the request it was given, and
//! nothing else: the pool serves the next, and neither processes nor descriptors are left behind.
//!
//! The test binary is its own reader (`fake_reader`), which is why it has no standard harness.

mod fake_reader;

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::BufRead;
use std::os::unix::fs::PermissionsExt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use uketsuke::fleet::{Exit, Reader, ReaderEnd, ReaderError, ReaderPool, StartError, missing_confinement};
use uketsuke::settings::Readers;

type Story = fn() -> Pin<Box<dyn Future<Output = ()>>>;

macro_rules! stories {
    ($($name:ident),* $(,)?) => { [$((stringify!($name), (|| Box::pin($name())) as Story)),*] };
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["reader", mode] => return fake_reader::main(mode, None),
        ["reader", mode, readable] => return fake_reader::main(mode, Some(readable)),
        ["worker"] => return doomed_worker(),
        _ => (),
    }
    // Stands for a worker's secrets, which no reader may see.
    if std::env::var_os("DATABASE_URL").is_none() {
        let status = Command::new(this_program())
            .args(&arguments)
            .env("DATABASE_URL", "postgres://secret")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .status()
            .expect("this program");
        return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let stories = stories![
        a_crash_costs_its_request_only,
        a_hang_is_ended_after_its_limit,
        a_memory_bomb_meets_its_limit,
        nonsense_is_told_from_an_answer,
        bad_input_is_an_answer_and_keeps_the_reader,
        a_panic_does_not_repeat_what_was_read,
        chatter_neither_blocks_nor_reaches_the_talk,
        a_reader_has_no_network_no_secrets_and_starts_no_programs,
        a_reader_sees_its_scan_and_nothing_else,
        a_reader_changes_no_file,
        a_reader_is_not_root,
        a_request_that_is_given_up_ends_its_reader,
        one_reader_dies_while_another_works,
        a_worn_out_reader_is_replaced,
        a_reader_outlives_the_thread_that_asked_for_it,
        readers_that_cannot_start_say_why,
        readers_of_one_pool_agree_in_what_they_load,
        shutting_down_ends_and_reaps_everybody,
        readers_die_with_their_worker,
        two_hundred_deaths_leave_nothing_behind,
    ];
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let mut failed = 0;
    for (name, story) in stories {
        if wanted.is_some_and(|wanted| !name.contains(wanted.as_str())) {
            continue;
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let outcome =
            std::panic::catch_unwind(AssertUnwindSafe(|| runtime.expect("runtime").block_on(story())));
        println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
        failed += u32::from(outcome.is_err());
    }
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn a_crash_costs_its_request_only() {
    let pool = pool("fake", settings()).await;
    for (prank, signal) in [("abort", 6), ("segv", 11), ("kill", 9)] {
        match ask(&mut acquire(&pool).await, prank).await {
            Err(ReaderError::Died { exit, .. }) => assert_eq!(exit, Exit::Signal(signal), "{prank}"),
            other => panic!("{prank}: {other:?}"),
        }
        assert_eq!(zombies(), 0, "after {prank}");
        ask(&mut acquire(&pool).await, "fine").await.expect("the next one");
    }
    match ask(&mut acquire(&pool).await, "exit").await {
        Err(ReaderError::Died { exit, .. }) => assert_eq!(exit, Exit::Code(7)),
        other => panic!("{other:?}"),
    }
    // The handle of a dead reader says so instead of hanging.
    let mut reader = acquire(&pool).await;
    ask(&mut reader, "abort").await.expect_err("it dies");
    assert!(matches!(reader.look(0).await, Err(ReaderError::Gone)));
}

async fn a_hang_is_ended_after_its_limit() {
    let limit = Duration::from_millis(500);
    let pool = pool("fake", Readers { page_limit: limit, ..settings() }).await;
    for prank in ["hang", "spin"] {
        match ask(&mut acquire(&pool).await, prank).await {
            Err(ReaderError::TimedOut { limit: reported }) => assert_eq!(reported, limit),
            other => panic!("{prank}: {other:?}"),
        }
        assert_eq!(zombies(), 0);
    }
    assert_eq!(children().len(), 0, "the hanging readers are gone");
    assert_eq!(ends(&pool, ReaderEnd::TimedOut), 2);
}

async fn a_memory_bomb_meets_its_limit() {
    let pool = pool("fake", settings()).await;
    match ask(&mut acquire(&pool).await, "bomb").await {
        Err(ReaderError::Died { exit: Exit::Signal(6), last_lines }) => {
            assert!(last_lines.iter().any(|line| line.contains("memory allocation of")), "{last_lines:?}");
        }
        other => panic!("{other:?}"),
    }
    ask(&mut acquire(&pool).await, "fine").await.expect("the next one");
}

async fn nonsense_is_told_from_an_answer() {
    let pool = pool("nonsense", settings()).await;
    for (prank, reason) in [
        ("garbage", "no message of this protocol"),
        ("huge", "the longest is"),
        ("other answer", "out of turn"),
    ] {
        match ask(&mut acquire(&pool).await, prank).await {
            Err(ReaderError::Protocol { message, .. }) => {
                assert!(message.contains(reason), "{prank}: {message}")
            }
            other => panic!("{prank}: {other:?}"),
        }
        assert_eq!(zombies(), 0, "after {prank}");
        ask(&mut acquire(&pool).await, "fine").await.expect("the next one");
    }
    match ask(&mut acquire(&pool).await, "half an answer").await {
        Err(ReaderError::Died { exit, .. }) => assert_eq!(exit, Exit::Code(0)),
        other => panic!("{other:?}"),
    }
    assert_eq!((ends(&pool, ReaderEnd::Protocol), ends(&pool, ReaderEnd::Died)), (3, 1));
}

async fn bad_input_is_an_answer_and_keeps_the_reader() {
    let pool = pool("fake", Readers { count: 1, ..settings() }).await;
    let before = ask(&mut acquire(&pool).await, "fine").await.expect("its process ID");
    match ask(&mut acquire(&pool).await, "refuse").await {
        Err(ReaderError::Refused(refusal)) => assert_eq!(refusal.code, "truncated"),
        other => panic!("{other:?}"),
    }
    let mut reader = acquire(&pool).await;
    assert_eq!(ask(&mut reader, "fine").await.expect("the same"), before);
    assert_eq!(reader.look(3).await.expect("a page").index, 3);
    assert_eq!(reader.read(3, None).await.expect("a page").image.bytes.len(), fake_reader::IMAGE_BYTES);
    reader.close().await.expect("closed");
}

async fn a_panic_does_not_repeat_what_was_read() {
    let pool = pool("fake", settings()).await;
    match ask(&mut acquire(&pool).await, "panic").await {
        Err(ReaderError::Died { exit: Exit::Code(101), last_lines }) => {
            let text = last_lines.join("\n");
            assert!(text.contains("fake_reader.rs") && !text.contains("横浜"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

async fn chatter_neither_blocks_nor_reaches_the_talk() {
    let pool = pool("fake", Readers { count: 1, ..settings() }).await;
    let before = ask(&mut acquire(&pool).await, "fine").await.expect("its process ID");
    assert_eq!(ask(&mut acquire(&pool).await, "chatter on stderr").await.expect("alive"), before);
    assert_eq!(ask(&mut acquire(&pool).await, "chatter on stdout").await.expect("alive"), before);
    match ask(&mut acquire(&pool).await, "last words").await {
        Err(ReaderError::Died { last_lines, .. }) => {
            assert_eq!(last_lines.len(), 5);
            assert!(last_lines[4].ends_with("999"), "{last_lines:?}");
        }
        other => panic!("{other:?}"),
    }
}

async fn a_reader_has_no_network_no_secrets_and_starts_no_programs() {
    let pool = pool("fake", settings()).await;
    for (question, answer) in [
        ("connect", "PermissionDenied"),
        ("connect to a socket", "PermissionDenied"),
        ("send a datagram", "PermissionDenied"),
        ("start a program", "PermissionDenied"),
        ("fork", "PermissionDenied"),
        ("start a thread", "done"),
        ("signal the worker", "PermissionDenied"),
        ("signal the first process", "PermissionDenied"),
        ("secrets", "none"),
        ("threads", "1"),
        ("core dumps", "0"),
    ] {
        assert_eq!(answer_to(&pool, question).await, answer, "{question}");
    }
}

/// A folder with one file, both open to everybody: only confinement keeps a reader out.
fn open_folder(file: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join(file), "secret").expect("written");
    for path in [folder.path().to_owned(), folder.path().join(file)] {
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(path, open).expect("opened to everybody");
    }
    folder
}

async fn a_reader_sees_its_scan_and_nothing_else() {
    let (models, database) = (open_folder("digits.rten"), open_folder("PG_VERSION"));
    let readable = models.path().display().to_string();
    let arguments = ["reader", "fake", &readable].map(OsString::from).to_vec();
    let pool = ReaderPool::start(&settings(), this_program(), arguments).await.expect("the pool starts");
    assert_eq!(answer_to(&pool, "read the scan").await, SCAN);
    assert_eq!(answer_to(&pool, &format!("read {readable}/digits.rten")).await, "done");
    if let Some(missing) = missing_confinement() {
        println!("  SKIPPED, what other files a reader sees: {missing}");
        return;
    }
    let (foreign, own) = (database.path().display(), std::process::id());
    for question in [
        "read /etc/passwd".to_owned(),
        format!("list {foreign}"),
        format!("read {foreign}/PG_VERSION"),
        format!("read {readable}/../{}/PG_VERSION", database.path().file_name().expect("a name").display()),
        format!("read /proc/{own}/environ"),
        "list /".to_owned(),
        "list /proc".to_owned(),
    ] {
        assert_eq!(answer_to(&pool, &question).await, "PermissionDenied", "{question}");
    }
}

/// Holds without Landlock, too.
async fn a_reader_changes_no_file() {
    let models = open_folder("digits.rten");
    let readable = models.path().display().to_string();
    let arguments = ["reader", "fake", &readable].map(OsString::from).to_vec();
    let pool = ReaderPool::start(&settings(), this_program(), arguments).await.expect("the pool starts");
    for question in [
        format!("write {readable}/digits.rten"),
        format!("write {readable}/new"),
        format!("make {readable}/new"),
        format!("remove {readable}/digits.rten"),
        format!("rename {readable}/digits.rten"),
        format!("open {readable}/digits.rten"),
    ] {
        assert_eq!(answer_to(&pool, &question).await, "PermissionDenied", "{question}");
    }
    assert_ne!(answer_to(&pool, "write the scan").await, "done");
    let text = std::fs::read_to_string(models.path().join("digits.rten"));
    assert_eq!(text.expect("still there"), "secret");
}

async fn a_reader_is_not_root() {
    if !rustix::process::geteuid().is_root() {
        println!("  SKIPPED: this test was not started by root, and readers have its user");
        return;
    }
    let pool = pool("fake", settings()).await;
    assert_eq!(answer_to(&pool, "who").await, "65534");
    assert_eq!(answer_to(&pool, "become root").await, "PermissionDenied");
    let message = start("no such user", settings()).await.err().expect("nobody to be").to_string();
    assert!(message.contains("'no such user'") && message.contains("readers.user"), "{message}");
    // Of all its threads, one of which was there when the reader was still root.
    let mut reader = acquire(&pool).await;
    let id = ask(&mut reader, "fine").await.expect("its process ID");
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).expect("proc");
    let users: Vec<String> = threads
        .map(|thread| {
            let status = std::fs::read_to_string(thread.expect("proc").path().join("status")).expect("proc");
            let users = status.lines().find(|line| line.starts_with("Uid:")).expect("a user");
            users.trim_start_matches("Uid:").trim().replace('\t', " ")
        })
        .collect();
    assert_eq!(users, ["65534 65534 65534 65534", "65534 65534 65534 65534"]);
}

async fn a_request_that_is_given_up_ends_its_reader() {
    let pool = pool("fake", Readers { count: 1, ..settings() }).await;
    let mut reader = acquire(&pool).await;
    tokio::select! {
        answer = ask(&mut reader, "hang") => panic!("{answer:?}"),
        () = tokio::time::sleep(Duration::from_millis(100)) => (),
    }
    drop(reader);
    ask(&mut acquire(&pool).await, "fine").await.expect("a fresh one");
    until("only the fresh one is left", || children().len() == 1).await;
    assert_eq!(ends(&pool, ReaderEnd::Interrupted), 1);
}

async fn one_reader_dies_while_another_works() {
    let pool = pool("fake", settings()).await;
    let (mut slow, mut dying) = (acquire(&pool).await, acquire(&pool).await);
    let (slow, dying) = tokio::join!(ask(&mut slow, "slow"), ask(&mut dying, "segv"));
    slow.expect("undisturbed");
    dying.expect_err("dead");
}

async fn a_worn_out_reader_is_replaced() {
    let pool = pool("fake", Readers { count: 1, recycle_pages: 2, ..settings() }).await;
    let mut pids = HashSet::new();
    for _ in 0..3 {
        let mut reader = acquire(&pool).await;
        pids.insert(ask(&mut reader, "fine").await.expect("its process ID"));
        reader.look(0).await.expect("a page");
        reader.look(1).await.expect("a page");
    }
    assert_eq!(pids.len(), 3);
    assert_eq!(ends(&pool, ReaderEnd::WornOut), 3);
}

/// The kernel kills a reader when the thread that started it ends, so that must not be just any.
async fn a_reader_outlives_the_thread_that_asked_for_it() {
    let pool = pool("fake", Readers { count: 2, ..settings() }).await;
    let (handle, elsewhere) = (tokio::runtime::Handle::current(), pool.clone());
    let _first = acquire(&pool).await;
    let asked = std::thread::spawn(move || {
        handle.block_on(async { ask(&mut acquire(&elsewhere).await, "fine").await.expect("its process ID") })
    });
    let pid = asked.join().expect("no panic");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(ask(&mut acquire(&pool).await, "fine").await.expect("alive"), pid);
}

async fn readers_that_cannot_start_say_why() {
    let message = start("missing model", settings()).await.err().expect("no model").to_string();
    assert!(message.contains("digits.rten is missing") && message.contains("exit code 1"), "{message}");
    let message = start("other build", settings()).await.err().expect("another version").to_string();
    assert!(message.contains("same build"), "{message}");
    let hurried = Readers { start_limit: Duration::from_millis(300), ..settings() };
    assert!(matches!(start("silent", hurried).await, Err(StartError::TimedOut { .. })));
    let nowhere = ReaderPool::start(&settings(), "/nonexistent/reader".into(), Vec::new()).await;
    assert!(matches!(nowhere, Err(StartError::Spawn { .. })));
    assert_eq!((children().len(), zombies()), (0, 0));
}

async fn readers_of_one_pool_agree_in_what_they_load() {
    let pool = pool("fickle", settings()).await;
    assert_eq!(pool.loaded().models.len(), 1);
    ask(&mut acquire(&pool).await, "abort").await.expect_err("it dies");
    match pool.acquire().await {
        Err(StartError::Mismatch { what }) => assert_eq!(what, "the model digits"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("another model was taken"),
    }
    until("the odd one is gone", || children().is_empty()).await;
    assert_eq!((ends(&pool, ReaderEnd::Died), ends(&pool, ReaderEnd::NotStarted)), (1, 1));
}

async fn shutting_down_ends_and_reaps_everybody() {
    let pool = pool("fake", Readers { count: 2, ..settings() }).await;
    let mut busy = acquire(&pool).await;
    ask(&mut acquire(&pool).await, "fine").await.expect("idle afterwards");
    let hanging = tokio::spawn(async move { ask(&mut busy, "hang").await });
    until("two readers", || children().len() == 2).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    pool.shut_down().await;
    assert_eq!(children().len(), 0, "neither living nor zombies");
    assert!(matches!(hanging.await.expect("no panic"), Err(ReaderError::ShuttingDown)));
    assert!(matches!(pool.acquire().await, Err(StartError::ShuttingDown)));
}

async fn readers_die_with_their_worker() {
    let mut worker =
        Command::new(this_program()).arg("worker").stdout(Stdio::piped()).spawn().expect("this program");
    let stdout = worker.stdout.take().expect("piped");
    let line = std::io::BufReader::new(stdout).lines().next().expect("a line").expect("text");
    let reader: u32 = line.parse().expect("the reader's process ID");
    assert!(is_running(reader));
    worker.kill().expect("it lives");
    worker.wait().expect("it is our child");
    until("the reader is gone", || !is_running(reader)).await;
}

/// A worker whose reader hangs in native code and hears nothing, until it is killed.
fn doomed_worker() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    runtime.block_on(async {
        let pool = pool("fake", settings()).await;
        let mut reader = acquire(&pool).await;
        println!("{}", ask(&mut reader, "fine").await.expect("its process ID"));
        let _ = ask(&mut reader, "hang").await;
    });
    ExitCode::SUCCESS
}

async fn two_hundred_deaths_leave_nothing_behind() {
    let pool = pool("fake", Readers { count: 1, ..settings() }).await;
    ask(&mut acquire(&pool).await, "abort").await.expect_err("it dies");
    let before = descriptors();
    for number in 0..200 {
        let prank = ["abort", "segv", "exit", "kill"][number % 4];
        ask(&mut acquire(&pool).await, prank).await.expect_err("it dies");
    }
    until("as many descriptors as before", || descriptors() <= before).await;
    assert_eq!(children().len(), 0, "neither living nor zombies");
}

fn settings() -> Readers {
    Readers {
        count: 2,
        // The fake reader takes its own.
        memory_mib: 0,
        user: String::new(),
        start_limit: Duration::from_secs(60),
        page_limit: Duration::from_secs(60),
        recycle_pages: 1000,
    }
}

async fn start(mode: &str, settings: Readers) -> Result<ReaderPool, StartError> {
    let arguments = ["reader", mode].map(OsString::from).to_vec();
    ReaderPool::start(&settings, this_program(), arguments).await
}

async fn pool(mode: &str, settings: Readers) -> ReaderPool {
    start(mode, settings).await.expect("the pool starts")
}

async fn acquire(pool: &ReaderPool) -> Reader {
    pool.acquire().await.expect("a reader")
}

/// How often readers of the pool have ended so.
fn ends(pool: &ReaderPool, end: ReaderEnd) -> u64 {
    pool.ends().into_iter().filter(|(counted, _)| *counted == end).map(|(_, count)| count).sum()
}
const SCAN: &str = "what a scanner saw";

/// Plays a prank on the reader by the name of the scan it opens.
async fn ask(reader: &mut Reader, prank: &str) -> Result<u32, ReaderError> {
    let scan = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(scan.path(), SCAN).expect("written");
    reader.open(&File::open(scan.path()).expect("a scan"), prank).await
}

/// What a reader says that it came to.
async fn answer_to(pool: &ReaderPool, question: &str) -> String {
    match ask(&mut acquire(pool).await, question).await {
        Err(ReaderError::Refused(refusal)) => refusal.message,
        other => panic!("{question}: {other:?}"),
    }
}

fn this_program() -> std::path::PathBuf {
    std::env::current_exe().expect("this program")
}

/// Waits for what happens soon, but not at once.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("proc").count()
}

/// Process IDs and states of this process's children, dead ones included.
fn children() -> Vec<(u32, char)> {
    let own = std::process::id();
    let numbers = std::fs::read_dir("/proc").expect("proc");
    let pids = numbers.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| {
        state_and_parent(pid).filter(|&(_, parent)| parent == own).map(|(state, _)| (pid, state))
    })
    .collect()
}

fn zombies() -> usize {
    children().iter().filter(|&&(_, state)| state == 'Z').count()
}

fn is_running(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != 'Z')
}

fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
