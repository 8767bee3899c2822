//! A fleet is restarted node by node under load, and goes on when a newer version has changed the
//! tables: every scan is read once, at its first attempt.

#[path = "support/site.rs"]
mod site;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use uketsuke::store::Database;
use uketsuke::store::accounting::{self, Accounting, Filter};

use site::{Site, files_below, sample_register, sample_scans, signal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_uketsuke");
/// A lease outlasts the test: a scan that a stopping node leaves behind would be missing in the end.
const SETTINGS: &str = "[jobs]\nlease_seconds = 600.0\n[readers]\ncount = 1\n";
const ROUNDS: usize = 2;

/// As a version yet to come may: columns with defaults, an index, a row among the migrations.
const NEWER_MIGRATION: &str = "
    alter table job add column hint text not null default '';
    alter table page add column origin text;
    create index page_origin on page (origin) where origin is not null;
    insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'of a newer version', true, '\\x00', 0);";

struct Node {
    process: Child,
    log: PathBuf,
}

impl Node {
    /// Returns when the node is ready.
    fn start(site: &Site, name: &str) -> Self {
        let log = site.folder().join(name);
        let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("UKETSUKE_LOG", "info").stdout(Stdio::null());
        command.stderr(fs::File::create(&log).expect("a log"));
        let node = Self { process: command.spawn().expect("the service starts"), log };
        until(name, || node.said().contains("ready address="));
        node
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    fn stop(&mut self) {
        signal(self.process.id(), "TERM");
        let ended = self.process.wait().expect("our child");
        assert!(ended.success(), "{ended}: {}", self.said());
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(180);
    while !holds() {
        assert!(Instant::now() < deadline, "not within three minutes: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn drop_file(drop: &Path, (place, file): &(PathBuf, PathBuf)) {
    let folder = drop.join(place);
    fs::create_dir_all(&folder).expect("a station's folder");
    let name = file.file_name().expect("a name");
    let passing = folder.join("passing.tmp");
    fs::copy(file, &passing).expect("copied");
    fs::rename(&passing, folder.join(name)).expect("renamed");
}

async fn sum(database: &Database) -> Accounting {
    accounting::total(database, &Filter::default()).await.expect("a sum")
}

#[test]
fn a_fleet_that_is_restarted_node_by_node_reads_every_scan_once() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let site = Site::new(Path::new(PROGRAM), SETTINGS);
    site.run(&["register", "import", &sample_register()]);
    let drop = site.data().join("drop");
    let mut nodes = [Node::start(&site, "a-0.log"), Node::start(&site, "b-0.log")];
    let database = runtime.block_on(Database::connect(&site.data(), None)).expect("the private database");

    let scans = sample_scans();
    let (first, second) = scans.split_at(scans.len() / 2);
    let mut coming = first.chunks(first.len().div_ceil(2 * ROUNDS));
    for round in 1..=ROUNDS {
        for (number, name) in ["a", "b"].into_iter().enumerate() {
            let waiting: Vec<_> = coming.next().unwrap_or_default().iter().collect();
            waiting.iter().for_each(|scan| drop_file(&drop, scan));
            until("a scan is being read", || {
                let sum = runtime.block_on(sum(&database));
                sum.scans_working > 0 || (files_below(&drop) == 0 && sum.settled())
            });
            nodes[number].stop();
            nodes[number] = Node::start(&site, &format!("{name}-{round}.log"));
        }
    }

    // The tables are those of a newer version; its nodes have not been started yet.
    let options = PgConnectOptions::new_without_pgpass()
        .socket(site.data().join("postgres/socket"))
        .username("uketsuke")
        .database("uketsuke");
    let mut connection = runtime.block_on(PgConnection::connect_with(&options)).expect("a connection");
    runtime.block_on(sqlx::raw_sql(NEWER_MIGRATION).execute(&mut connection)).expect("migrated");
    second.iter().for_each(|scan| drop_file(&drop, scan));
    until("everything is read", || files_below(&drop) == 0 && runtime.block_on(sum(&database)).settled());
    let refused = site.command(&["serve", "--listen", "127.0.0.1:0"]).output().expect("it ends");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("newer version of this program"), "{said}");

    let seen = runtime.block_on(sum(&database));
    assert!(seen.balances(), "{seen:?}");
    assert_eq!((seen.scans, seen.scans_quarantined), (scans.len() as u64, 0), "{seen:?}");
    let attempts = "select count(*), count(distinct subject), max((detail ->> 'attempt')::int) from event
                    where kind = 'scan.published'";
    let published: (i64, i64, i32) =
        runtime.block_on(sqlx::query_as(attempts).fetch_one(&mut connection)).expect("events");
    let count = scans.len() as i64;
    assert_eq!(published, (count, count, 1), "each once, and nobody left one behind");
    nodes.iter_mut().for_each(Node::stop);
    runtime.block_on(database.close());
}
