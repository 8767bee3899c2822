//! A drop folder tells of every file once it is whole, however it came, and of everything else that
//! lies in it; and it opens nothing but files.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use uketsuke::intake::{ArrivedFile, Sighting, Watching, collect, escaped, is_whole, watch};
use uketsuke::settings::Intake;

/// The end that our test format has.
const END: &str = "END";

/// Long enough for the slowest machine; nothing waits so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A drop folder under watch, and every path that was looked into.
struct Drop {
    folder: tempfile::TempDir,
    watching: Watching,
    opened: Arc<Mutex<Vec<PathBuf>>>,
}

impl Drop {
    fn watched(settle: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Intake {
            poll: Duration::from_millis(50),
            settle,
            arriving_alarm_minutes: 0,
            max_file_mib: 1,
            max_ready_jobs: 1,
            min_free_gib: 1,
        };
        let opened = Arc::new(Mutex::new(Vec::new()));
        let noted = opened.clone();
        let is_whole = move |path: &Path| {
            noted.lock().expect("no panic").push(path.to_owned());
            std::fs::read_to_string(path).is_ok_and(|text| text.ends_with(END))
        };
        let watching = watch(folder.path(), &settings, is_whole).expect("watched");
        Self { folder, watching, opened }
    }

    fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        let path = self.folder.path().join(below);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        path
    }

    async fn next(&mut self) -> Sighting {
        let sighting = tokio::time::timeout(PATIENCE, self.watching.sightings.recv());
        sighting.await.expect("not in vain").expect("the watcher lives")
    }

    /// The next file that arrives, alarms left out.
    async fn next_file(&mut self) -> ArrivedFile {
        loop {
            match self.next().await {
                Sighting::Arrived(file) => return file,
                Sighting::Overdue { .. } => (),
                Sighting::Finding(finding) => panic!("{finding}"),
            }
        }
    }

    /// Takes the next file away, as the taking-in does.
    async fn take_next_file(&mut self) -> ArrivedFile {
        let file = self.next_file().await;
        std::fs::remove_file(&file.path).expect("there");
        file
    }
}

#[tokio::test]
async fn a_slow_writer_is_waited_for() {
    let mut drop = Drop::watched(Duration::from_millis(100));
    let path = drop.path("north/monday/scan.tif");
    std::fs::write(&path, "the first half, ").expect("written");
    // It rests long enough to be looked into, and is overdue by now.
    while !matches!(drop.next().await, Sighting::Overdue { .. }) {}
    let overdue = drop.watching.state.wait_for(|state| (state.arriving, state.overdue) == (1, 1)).await;
    std::mem::drop(overdue.expect("the watcher lives"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told = drop.watching.sightings.try_recv();
    assert!(told.is_err(), "{told:?}");
    std::fs::write(&path, format!("both halves, {END}")).expect("written");
    match drop.next().await {
        Sighting::Arrived(file) => assert_eq!(
            file,
            ArrivedFile { station: "north".into(), batch: Some("monday".into()), path, sidecar: None }
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_rename_or_a_sidecar_saves_the_wait() {
    // Nobody here waits an hour: what arrives was announced.
    let mut drop = Drop::watched(Duration::from_secs(3600));
    let (passing, path) = (drop.path("north/scan.tif.tmp"), drop.path("north/scan.tif"));
    std::fs::write(&passing, END).expect("written");
    // The first renames are lost while the new folder is not under watch yet.
    let renaming = async {
        loop {
            std::fs::rename(&passing, &path).expect("renamed");
            tokio::time::sleep(Duration::from_secs(1)).await;
            std::fs::rename(&path, &passing).expect("renamed");
        }
    };
    let arrived = tokio::select! {
        file = drop.next_file() => file,
        () = renaming => unreachable!("it goes on for ever"),
    };
    assert_eq!(arrived.path, path);
    let _ = std::fs::remove_file(&path);

    let (path, sidecar) = (drop.path("north/other.tif"), drop.path("north/other.tif.ready"));
    std::fs::write(&path, END).expect("written");
    std::fs::write(&sidecar, "").expect("written");
    let file = drop.take_next_file().await;
    assert_eq!((file.path, file.sidecar), (path.clone(), Some(sidecar.clone())));

    // A sidecar that was left behind says nothing of the next file of that name.
    let earlier = std::time::SystemTime::now() - Duration::from_secs(60);
    std::fs::File::open(&sidecar).and_then(|file| file.set_modified(earlier)).expect("set");
    std::fs::write(&path, END).expect("written");
    while !matches!(drop.next().await, Sighting::Overdue { .. }) {}
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(drop.watching.sightings.try_recv().is_err());
}

#[tokio::test]
async fn many_files_at_once_arrive_each_once() {
    let mut drop = Drop::watched(Duration::from_millis(100));
    let root = drop.folder.path().to_owned();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let station = root.join(format!("station {writer}"));
            std::thread::spawn(move || {
                std::fs::create_dir(&station).expect("made");
                for number in 0..100 {
                    let (passing, path) =
                        (station.join(format!(".{number}")), station.join(format!("{number}.tif")));
                    if number % 2 == 0 {
                        std::fs::write(&passing, END)
                            .and_then(|()| std::fs::rename(&passing, &path))
                            .expect("moved");
                    } else {
                        std::fs::write(&path, END).expect("written");
                    }
                }
            })
        })
        .collect();
    let mut arrived: BTreeMap<PathBuf, u32> = BTreeMap::new();
    while arrived.len() < 400 {
        *arrived.entry(drop.take_next_file().await.path).or_default() += 1;
    }
    writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
    assert!(arrived.values().all(|&count| count == 1), "{arrived:?}");
}

#[tokio::test]
async fn odd_names_are_files_like_others() {
    let mut drop = Drop::watched(Duration::from_millis(50));
    let names: [&[u8]; 6] = [
        b"with spaces .tif",
        "申請書 一枚目.tif".as_bytes(),
        b"two\nlines.tif",
        b"\x90\x5c\x90\xbf.tif",
        b"..\\..\\passwd",
        b"-rf",
    ];
    let station = OsStr::from_bytes(b"st\xe4tion");
    for name in names {
        std::fs::write(drop.path(Path::new(station).join(OsStr::from_bytes(name))), END).expect("written");
    }
    for _ in names {
        let file = drop.take_next_file().await;
        assert_eq!(file.station, "st\\xe4tion");
        assert!(names.contains(&file.path.file_name().expect("a name").as_bytes()));
    }
}

#[tokio::test]
async fn what_is_no_file_is_told_once_and_never_opened() {
    let mut drop = Drop::watched(Duration::from_millis(50));
    mknodat(CWD, drop.path("north/pipe.tif"), FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    symlink("/nowhere", drop.path("north/dangling.tif")).expect("a link");
    symlink("/etc/passwd", drop.path("north/passwd.tif")).expect("a link");
    symlink("/etc", drop.path("etc")).expect("a link");
    let _socket = UnixListener::bind(drop.path("north/socket.tif")).expect("a socket");
    drop.path("north/folder.tif/scan.tif");
    std::fs::write(drop.path("north/batch/deeper/scan.tif"), END).expect("written");
    std::fs::write(drop.path("stray.tif"), END).expect("written");
    std::fs::write(drop.path("north/good.tif"), END).expect("written");

    let (mut findings, mut arrived) = (BTreeMap::new(), None);
    while findings.len() < 8 || arrived.is_none() {
        match drop.next().await {
            Sighting::Finding(finding) => {
                let below = finding.path.strip_prefix(drop.folder.path()).expect("below").to_owned();
                assert_eq!(
                    findings.insert(below.clone(), finding.reason.to_string()),
                    None,
                    "{below:?} again"
                );
            }
            Sighting::Arrived(file) => arrived = Some(file.path),
            Sighting::Overdue { .. } => (),
        }
    }
    assert_eq!(arrived, Some(drop.path("north/good.tif")));
    for (below, reason) in [
        ("north/pipe.tif", "is a pipe"),
        ("north/dangling.tif", "is a link"),
        ("north/passwd.tif", "is a link"),
        ("etc", "is a link"),
        ("north/socket.tif", "is a socket"),
        ("north/folder.tif", "is a folder but called like a scan"),
        ("north/batch/deeper", "is a folder inside a batch"),
        ("stray.tif", "belongs to no station"),
    ] {
        assert!(findings[Path::new(below)].starts_with(reason), "{below}: {}", findings[Path::new(below)]);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(drop.watching.sightings.try_recv().is_err(), "told once only");
    let opened = drop.opened.lock().expect("no panic").clone();
    assert!(opened.iter().all(|path| path.ends_with("north/good.tif")), "{opened:?}");
}

/// Between the look at the folder and the look into the file somebody may exchange it.
#[test]
fn a_pipe_or_a_link_in_a_files_place_is_not_looked_into() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, pipe, link) = ["text.txt", "pipe.txt", "link.txt"].map(|name| folder.path().join(name)).into();
    std::fs::write(&file, "no scan, but whole").expect("written");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    symlink(&file, &link).expect("a link");
    assert_eq!([&file, &pipe, &link].map(|path| is_whole(path)), [true, false, false]);
}

#[tokio::test]
async fn a_folder_that_goes_away_is_waited_for() {
    let mut drop = Drop::watched(Duration::from_millis(50));
    let aside = drop.folder.path().with_extension("aside");
    std::fs::rename(drop.folder.path(), &aside).expect("moved");
    drop.watching.state.wait_for(|state| state.unreadable.is_some()).await.expect("the watcher lives");
    std::fs::rename(&aside, drop.folder.path()).expect("moved");
    let path = drop.path("north/scan.tif");
    std::fs::write(&path, END).expect("written");
    assert_eq!(drop.take_next_file().await.path, path);
}

#[test]
fn files_and_folders_of_the_command_line_find_their_stations() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("march");
    std::fs::create_dir_all(root.join("north/monday")).expect("made");
    let files = ["direct.tif", "north/scan.pdf", "north/monday/1.tif", "north/.hidden", "north/a.tif.part"];
    for file in files {
        std::fs::write(root.join(file), "").expect("written");
    }
    mknodat(CWD, root.join("north/pipe"), FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    std::fs::write(folder.path().join("single.tmp"), "").expect("written");
    symlink(&root, folder.path().join("april")).expect("a link");

    let paths = [folder.path().join("single.tmp"), root.clone(), root.clone()];
    let collected = collect(&paths).expect("there");
    let stations: Vec<(&str, Option<&str>, &OsStr)> = collected
        .files
        .iter()
        .map(|file| (file.station.as_str(), file.batch.as_deref(), file.path.file_name().expect("a name")))
        .collect();
    assert_eq!(
        stations,
        [
            ("march", None, OsStr::new("direct.tif")),
            ("north", Some("monday"), OsStr::new("1.tif")),
            ("north", None, OsStr::new("scan.pdf")),
            ("cli", None, OsStr::new("single.tmp")),
        ]
    );
    assert_eq!(collected.findings.len(), 2, "the FIFO, as often as its folder was given");

    let linked = collect(&[folder.path().join("april")]).expect("there");
    assert_eq!(linked.files.len(), 3, "a folder may be typed by way of a link");

    let missing = collect(&[folder.path().join("no\nwhere")]).expect_err("nothing there");
    assert!(missing.to_string().contains(&escaped(OsStr::new("no\nwhere"))), "{missing}");
}
