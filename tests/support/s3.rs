//! An S3 server inside the test (`s3s-fs`), and stores that are connected to one.

use std::path::PathBuf;

use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use uketsuke::settings::{Objects, Settings};
use uketsuke::store::objects::{Bucket, ObjectError, S3};

pub const ACCESS_KEY: &str = "mailroom";
pub const SECRET_KEY: &str = "not-a-secret-at-all";
/// In the bucket, as an operator writes it.
pub const PLACE: &str = "mailroom/fall";

/// Runs on a thread of its own until the test process ends.
pub struct S3Server {
    pub port: u16,
    folder: tempfile::TempDir,
}

impl S3Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("mailroom")).expect("a bucket");
        let files = s3s_fs::FileSystem::new(folder.path()).expect("a store of files");
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket for tokio");
        let port = listener.local_addr().expect("an address").port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a socket");
                while let Ok((stream, _)) = listener.accept().await {
                    let service = service.clone();
                    tokio::spawn(async move {
                        let connection = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service);
                        // A client that went away is part of the test.
                        let _ = connection.await;
                    });
                }
            });
        });
        Self { port, folder }
    }

    /// What the bucket holds, as files.
    pub fn objects(&self) -> PathBuf {
        self.folder.path().join(PLACE)
    }
}

/// Settings for a server on this machine: impatient, with `more` lines of TOML.
pub fn settings(port: u16, more: &str) -> Objects {
    load(&settings_text(port, more))
}

pub fn settings_text(port: u16, more: &str) -> String {
    format!(
        "[objects]\nendpoint = \"http://127.0.0.1:{port}\"\nregion = \"here\"\npath_style = true\npart_mib = 5\n\
         first_backoff_seconds = 0.01\nlongest_backoff_seconds = 0.05\n{more}\n"
    )
}

pub fn load(text: &str) -> Objects {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("uketsuke.toml");
    std::fs::write(&path, text).expect("the configuration");
    Settings::load(Some(&path)).expect("settings").objects
}

pub async fn connect(port: u16, more: &str) -> Result<S3, ObjectError> {
    let bucket: Bucket = PLACE.parse().expect("a bucket");
    S3::connect_as(&bucket, &settings(port, more), ACCESS_KEY, SECRET_KEY).await
}
