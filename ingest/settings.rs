//! What an operator may set. The defaults are those of the shipped `config/uketsuke.toml`, which
//! is compiled in; a file given by the operator is laid over them key by key.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDate;
use serde::Deserialize;

use crate::approve::Further;
use crate::check::Rules;
use crate::form::Symbology;
use crate::geometry::RectMm;
use crate::reference::BankTable;
use crate::review::{Aql, Oidc};

const DEFAULTS: &str = include_str!("../config/uketsuke.toml");

/// Environment variable naming the configuration file where `--config` is not given.
pub const CONFIG_VARIABLE: &str = "UKETSUKE_CONFIG";

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub paths: Paths,
    pub intake: Intake,
    pub decode: Decode,
    pub page: Page,
    pub identify: Identify,
    pub read: Read,
    pub check: Check,
    pub score: Score,
    pub publish: Publish,
    pub public_page: PublicPage,
    pub letters: Letters,
    pub objects: Objects,
    pub readers: Readers,
    pub jobs: Jobs,
    pub review: Review,
    /// None: people log in here only.
    pub oidc: Option<Oidc>,
    pub retention: Retention,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    pub forms: PathBuf,
    pub models: PathBuf,
    pub vendor: PathBuf,
    pub calibration: PathBuf,
    pub banks: PathBuf,
    pub bank_aliases: PathBuf,
    pub transfer: PathBuf,
}

impl Paths {
    /// The PDF engine's shared library.
    pub fn pdfium(&self) -> PathBuf {
        self.vendor.join("libpdfium.so")
    }

    /// ONNX Runtime's shared library, which runs line models.
    pub fn onnx_runtime(&self) -> PathBuf {
        self.vendor.join("libonnxruntime.so.1.32.0")
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intake {
    #[serde(rename = "poll_seconds", deserialize_with = "seconds")]
    pub poll: Duration,
    #[serde(rename = "settle_seconds", deserialize_with = "seconds")]
    pub settle: Duration,
    pub arriving_alarm_minutes: u32,
    pub max_file_mib: u64,
    pub max_ready_jobs: u64,
    pub min_free_gib: u64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decode {
    pub max_pages: u32,
    pub max_page_megapixels: u32,
    pub max_page_mib: u32,
    pub pdf_render_dpi: u32,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    pub blank_max_ink: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identify {
    pub symbologies: Vec<Symbology>,
    pub zbar_confirms: bool,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    pub line_models: bool,
    pub second_reader: Vec<String>,
    pub lexicon: bool,
    /// Copies of documents are searched, read, and blacked out where they show what must not be kept.
    pub copies: bool,
    pub crop_dpi: u32,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// 0: amounts of the register are taken as they are.
    pub yen_per_member: u64,
    /// ISO 8601.
    pub first_day: NaiveDate,
    pub households_per_account: u64,
}

impl Check {
    /// The rules with these settings.
    pub fn rules<'a>(&self, banks: Option<&'a BankTable>) -> Rules<'a> {
        Rules { banks, yen_per_member: NonZeroU64::new(self.yen_per_member), first_day: self.first_day }
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    pub accept_provisional: bool,
    pub drift_window: u64,
    pub drift_level: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    pub jpeg_quality: u8,
}

/// What the public page answers, and how often.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicPage {
    /// Answers leave at multiples of this after they were asked for.
    #[serde(rename = "answer_after_seconds", deserialize_with = "seconds")]
    pub answer_after: Duration,
    pub per_client_minute: u32,
    pub all_per_second: u32,
    pub behind_proxy: bool,
    /// What applicants are told beside the four sentences, here and in the feed.
    pub further: Vec<Further>,
    /// 0: never.
    pub paid_after_days: u32,
}

/// What stands on deficiency letters beside what the form and the register say.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letters {
    pub sender: String,
    pub office: String,
    pub reply_within_days: u32,
    /// Left, top, width and height of the envelope's window as it lies over the letter, in millimetres.
    window: [f64; 4],
}

impl Letters {
    /// What is shown however the letter lies in its envelope.
    const PLAY_MM: f64 = 5.0;

    fn check(&self) -> Result<(), &'static str> {
        let RectMm { x, y, w, h } = self.address();
        // The customer barcode is 64 mm wide where it is smallest; the letter begins 70 mm down the page.
        let fits = x >= 5.0 && y >= 5.0 && w >= 64.0 && h >= 30.0 && x + w <= 120.0 && y + h <= 68.0;
        let message = "letters: the window is at least 74 × 40 mm, and ends 125 mm from the left and 73 mm from \
                       the top at most";
        if fits { Ok(()) } else { Err(message) }
    }

    /// Where the address is printed.
    pub fn address(&self) -> RectMm {
        let [x, y, w, h] = self.window;
        RectMm { x, y, w, h }.grown(-Self::PLAY_MM)
    }
}

/// How objects are kept: encrypted or not, and what S3 needs to be told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// None: objects are stored as they are, unless the environment holds keys.
    #[serde(deserialize_with = "filled")]
    pub keys_file: Option<PathBuf>,
    /// None: that of AWS for the region.
    #[serde(deserialize_with = "filled")]
    pub endpoint: Option<String>,
    /// None: what the environment or the profile says.
    #[serde(deserialize_with = "filled")]
    pub region: Option<String>,
    pub path_style: bool,
    pub if_none_match: bool,
    pub part_mib: NonZeroU32,
    /// At least 1, the first one included.
    pub attempts: u32,
    #[serde(rename = "first_backoff_seconds", deserialize_with = "seconds")]
    pub first_backoff: Duration,
    #[serde(rename = "longest_backoff_seconds", deserialize_with = "seconds")]
    pub longest_backoff: Duration,
    #[serde(rename = "connect_seconds", deserialize_with = "seconds")]
    pub connect_limit: Duration,
    /// Of one attempt, until the answer begins.
    #[serde(rename = "request_seconds", deserialize_with = "seconds")]
    pub request_limit: Duration,
    #[serde(rename = "stall_seconds", deserialize_with = "seconds")]
    pub stall_limit: Duration,
    #[serde(rename = "sensitive_originals_hours", deserialize_with = "hours")]
    pub sensitive_originals: Duration,
    pub encryption: Encryption,
    /// None: the bucket's own.
    #[serde(deserialize_with = "filled")]
    pub kms_key: Option<String>,
}

/// What the server encrypts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// Whatever the bucket says.
    None,
    Aes256,
    Kms,
}

impl Objects {
    /// S3 refuses parts that are smaller.
    const LEAST_PART_MIB: u32 = 5;

    fn check(&self) -> Result<(), &'static str> {
        if self.part_mib.get() < Self::LEAST_PART_MIB || self.attempts == 0 {
            return Err("objects: part_mib is 5 or more, attempts 1 or more");
        }
        if self.kms_key.is_some() && self.encryption != Encryption::Kms {
            return Err("objects: kms_key needs encryption = \"kms\"");
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readers {
    pub count: usize,
    pub memory_mib: u64,
    pub user: String,
    #[serde(rename = "start_seconds", deserialize_with = "seconds")]
    pub start_limit: Duration,
    #[serde(rename = "page_seconds", deserialize_with = "seconds")]
    pub page_limit: Duration,
    pub recycle_pages: u64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    #[serde(rename = "lease_seconds", deserialize_with = "seconds")]
    pub lease: Duration,
    pub max_attempts: i32,
    #[serde(rename = "retry_seconds", deserialize_with = "seconds")]
    pub retry: Duration,
    pub read_within_hours: Hours,
    /// By the name of the station.
    pub stations_read_within_hours: BTreeMap<String, Hours>,
}

impl Jobs {
    /// How long after it came a scan of the station should have been read.
    pub fn read_within(&self, station: &str) -> Duration {
        self.stations_read_within_hours.get(station).unwrap_or(&self.read_within_hours).0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours(Duration);

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)? * 3600.0;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The review desk.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    pub blind_fields: Vec<String>,
    #[serde(rename = "lease_seconds", deserialize_with = "seconds")]
    pub lease: Duration,
    #[serde(rename = "idle_seconds", deserialize_with = "seconds")]
    pub idle: Duration,
    #[serde(rename = "session_seconds", deserialize_with = "seconds")]
    pub session: Duration,
    pub login_failures: u32,
    pub address_failures: u32,
    #[serde(rename = "lockout_seconds", deserialize_with = "seconds")]
    pub lockout: Duration,
    pub qa_accepted_rate: f64,
    pub qa_decided_rate: f64,
    pub qa_widened_rate: f64,
    pub qa_learner_rate: f64,
    pub qa_learner_looks: u64,
    /// None: batches are neither accepted nor rejected.
    #[serde(deserialize_with = "aql")]
    pub lot_aql: Option<Aql>,
    #[serde(rename = "lot_quiet_seconds", deserialize_with = "seconds")]
    pub lot_quiet: Duration,
    pub seed_rate: f64,
    #[serde(rename = "seed_after_seconds", deserialize_with = "seconds")]
    pub seed_after: Duration,
    pub secure_cookie: bool,
    pub trust_forwarded_for: bool,
}

/// What the fleet does by itself once a day. Days of 0: only by command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Of the day (UTC).
    pub hour: u32,
    pub erase_after_days: u32,
    pub erase_scans_after_days: u32,
    pub sweep_after_days: u32,
}

impl Retention {
    /// Whether there is anything to do.
    pub fn is_on(&self) -> bool {
        self.erase_after_days + self.erase_scans_after_days + self.sweep_after_days > 0
    }

    fn check(&self) -> Result<(), &'static str> {
        /// A hundred years.
        const MOST_DAYS: u32 = 36_525;
        let days = [self.erase_after_days, self.erase_scans_after_days, self.sweep_after_days];
        match self.hour < 24 && days.iter().all(|&days| days <= MOST_DAYS) {
            true => Ok(()),
            false => Err("retention: hour is from 0 to 23, days are at most 36525"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("{}: cannot be read: {source}; name another file with --config", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: {message}", path.display())]
    Invalid { path: PathBuf, message: String },
}

impl Settings {
    /// The settings of `given`, else of the file that [`CONFIG_VARIABLE`] names, else of
    /// `config/uketsuke.toml` below the working directory or any folder above the program.
    pub fn load(given: Option<&Path>) -> Result<Self, SettingsError> {
        let named =
            given.map(Path::to_owned).or_else(|| std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from));
        let Some(path) = named.or_else(find_config) else {
            return Self::from_text("", Path::new("config/uketsuke.toml"));
        };
        let text = std::fs::read_to_string(&path)
            .map_err(|source| SettingsError::Unreadable { path: path.clone(), source })?;
        Self::from_text(&text, &path)
    }

    fn from_text(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let invalid = |message: String| SettingsError::Invalid { path: path.to_owned(), message };
        let given: toml::Table = toml::from_str(text).map_err(|error| invalid(error.to_string()))?;
        let mut table: toml::Table = toml::from_str(DEFAULTS).map_err(|error| invalid(error.to_string()))?;
        overlay(&mut table, given);
        let mut settings: Self =
            table.try_into().map_err(|error: toml::de::Error| invalid(error.to_string()))?;
        let Score { drift_window, drift_level, .. } = settings.score;
        if drift_window == 0 || !(drift_level > 0.0 && drift_level < 1.0) {
            return Err(invalid("score: drift_window is 1 or more, drift_level between 0 and 1".to_owned()));
        }
        let Review { qa_accepted_rate, qa_decided_rate, qa_widened_rate, qa_learner_rate, seed_rate, .. } =
            settings.review;
        let rates = [qa_accepted_rate, qa_decided_rate, qa_widened_rate, qa_learner_rate, seed_rate];
        if !rates.iter().all(|rate| (0.0..=1.0).contains(rate)) {
            return Err(invalid("review: the qa_ rates and seed_rate are from 0 to 1".to_owned()));
        }
        settings.letters.check().map_err(|message| invalid(message.to_owned()))?;
        settings.objects.check().map_err(|message| invalid(message.to_owned()))?;
        settings.retention.check().map_err(|message| invalid(message.to_owned()))?;
        if let Some(oidc) = &settings.oidc {
            oidc.check().map_err(|message| invalid(message.to_owned()))?;
        }
        let home = path.parent().and_then(Path::parent).unwrap_or(Path::new(""));
        let Paths { forms, models, vendor, calibration, banks, bank_aliases, transfer } = &mut settings.paths;
        for path in [forms, models, vendor, calibration, banks, bank_aliases, transfer] {
            *path = home.join(&*path);
        }
        if let Some(path) = &mut settings.objects.keys_file {
            *path = home.join(&*path);
        }
        if let Some(path) = settings.oidc.as_mut().and_then(|oidc| oidc.client_secret_file.as_mut()) {
            *path = home.join(&*path);
        }
        Ok(settings)
    }
}

fn find_config() -> Option<PathBuf> {
    let program = std::env::current_exe().ok();
    let above_program = program.iter().flat_map(|path| path.ancestors().skip(1));
    std::iter::once(Path::new(""))
        .chain(above_program)
        .map(|folder| folder.join("config/uketsuke.toml"))
        .find(|path| path.is_file())
}

/// Lays `given` over `table`, key by key.
fn overlay(table: &mut toml::Table, given: toml::Table) {
    for (key, value) in given {
        match (table.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => overlay(below, above),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// TOML has no word for nothing: an empty text is.
fn filled<'de, D: serde::Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((!text.is_empty()).then(|| text.into()))
}

fn hours<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Hours::deserialize(deserializer).map(|hours| hours.0)
}

fn aql<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Aql>, D::Error> {
    let percent = f64::deserialize(deserializer)?;
    let unknown =
        || serde::de::Error::custom("lot_aql is 0, or one of the preferred values of ISO 2859-1 up to 10");
    if percent == 0.0 { Ok(None) } else { Aql::of_percent(percent).map(Some).ok_or_else(unknown) }
}

fn seconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_complete() {
        let settings = Settings::from_text("", Path::new("/home/config/uketsuke.toml")).expect("defaults");
        assert_eq!(settings.paths.forms, Path::new("/home/config/forms"));
    }

    #[test]
    fn a_file_names_only_what_differs() {
        let settings =
            Settings::from_text("[decode]\nmax_pages = 7", Path::new("config/a.toml")).expect("valid");
        assert_eq!(settings.decode.max_pages, 7);
        assert_eq!(settings.decode.pdf_render_dpi, 300);
    }

    #[test]
    fn a_station_may_be_in_a_hurry() {
        let text = "[jobs.stations_read_within_hours]\ndesk = 0.5";
        let jobs = Settings::from_text(text, Path::new("config/a.toml")).expect("valid").jobs;
        assert_eq!(jobs.read_within("desk"), Duration::from_secs(1800));
        assert_eq!(jobs.read_within("minami"), Duration::from_secs(24 * 3600));
    }

    #[test]
    fn a_drift_test_that_never_or_always_rejects_is_refused() {
        for text in ["[score]\ndrift_level = 0.0", "[score]\ndrift_level = 1.0", "[score]\ndrift_window = 0"]
        {
            assert!(Settings::from_text(text, Path::new("config/a.toml")).is_err(), "{text}");
        }
    }

    #[test]
    fn settings_that_s3_refuses_are_refused() {
        for text in [
            "[objects]\npart_mib = 4",
            "[objects]\nattempts = 0",
            "[objects]\nencryption = \"aes256\"\nkms_key = \"a-key\"",
            "[objects]\nencryption = \"rot13\"",
        ] {
            assert!(Settings::from_text(text, Path::new("config/a.toml")).is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_that_an_address_does_not_fit_into_is_refused() {
        for window in ["[20, 13, 60, 45]", "[120, 13, 80, 45]", "[20, 60, 90, 45]"] {
            let text = format!("[letters]\nwindow = {window}");
            assert!(Settings::from_text(&text, Path::new("config/a.toml")).is_err(), "{window}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_name() {
        let error = Settings::from_text("[decode]\nmax_pagse = 7", Path::new("config/a.toml"))
            .expect_err("a slip of the pen");
        assert!(error.to_string().contains("max_pagse"), "{error}");
    }
}
