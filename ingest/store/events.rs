//! What happened, to what, by whom: append-only, written in the transaction of the change itself.
//! Subjects are identifiers; nothing here may be personal data.

use serde_json::Value;
use sqlx::PgConnection;

use super::error::query;
use super::{Database, StoreError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    ScanArrived,
    /// The bytes of a known scan came again; nothing was done.
    ScanRepeated,
    ScanPublished,
    ScanQuarantined,
    ScanRequeued,
    /// A page that a person assigned was read, and is part of a capture now.
    PageRead,
    CaptureCreated,
    /// A further capture of the same application.
    CaptureDuplicate,
    /// A page that a capture lacked came with another scan of its batch.
    CaptureCompleted,
    RegisterImported,
    /// Confidences of a field have shifted: the certificate accepts nothing more of it.
    CertificateSuspended,
    /// QA found its promise broken: it accepts nothing more.
    CertificateRevoked,
    /// A dump was restored into another server, whose transactions are counted anew.
    DatabaseRestored,
    /// The original of a scan with numbers that must not be kept was taken out of the store.
    OriginalRemoved,
    /// A picture without what was blacked out for doubt was taken out of the store.
    UnmaskedRemoved,
    /// A person said what must be black on a page.
    PageMasked,
    /// Objects that no row names were taken out of the store.
    ObjectsSwept,
    /// What is known of an application was taken away.
    ApplicationErased,
    /// What a scan held that is no application's was taken away.
    ScanErased,
    /// The objects of an erasure are gone, too; its certificate is written.
    ErasureFinished,
    AccountAdded,
    /// Its role, password, or whether it may log in.
    AccountChanged,
    /// Of a machine that uses the API.
    TokenAdded,
    TokenRevoked,
    LoggedIn,
    LoginFailed,
    LoggedOut,
    TaskClaimed,
    TaskGivenBack,
    /// What was decided of fields, or that two keys differ.
    TaskSubmitted,
    /// A person takes back what they have just submitted.
    TaskReopened,
    /// A picture was sent to a person.
    ImageViewed,
    /// An application's values were shown to a person.
    RecordViewed,
    /// Somebody looked for applications; what for is not kept.
    SearchMade,
    /// A page without a valid ID was assigned, or put aside.
    PageDecided,
    RescanSettled,
    DuplicateDecided,
    EscalationOpened,
    /// The municipality wants to know more before it decides.
    EscalationAskedBack,
    EscalationReplied,
    EscalationAnswered,
    /// A second look at a field that was accepted or decided.
    QaJudged,
    /// A batch was accepted or rejected by its sample.
    LotJudged,
    /// Somebody answers for a batch that was rejected.
    LotReleased,
    /// A second look found what stood wrong: whoever pays must hold the application.
    QaError,
    /// Everything of it is accepted or decided: it may be paid.
    ApplicationApproved,
    ApprovalRevoked,
    /// A household is not to be paid, for the reason told.
    PaymentStopped,
    PaymentStopLifted,
    /// Somebody answers for a finding.
    FindingWaived,
    /// An applicant is asked to mend something; or the same letter was written again.
    LetterWritten,
    /// A list of applications that came by another way.
    OnlineListImported,
    TransferProposed,
    /// A second person agreed: the bank is asked to pay.
    TransferRequested,
    TransferWithdrawn,
    PaymentRequested,
    /// The bank could not pay.
    PaymentReturned,
}

impl EventKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::ScanArrived => "scan.arrived",
            Self::ScanRepeated => "scan.repeated",
            Self::ScanPublished => "scan.published",
            Self::ScanQuarantined => "scan.quarantined",
            Self::ScanRequeued => "scan.requeued",
            Self::PageRead => "page.read",
            Self::CaptureCreated => "capture.created",
            Self::CaptureDuplicate => "capture.duplicate",
            Self::CaptureCompleted => "capture.completed",
            Self::RegisterImported => "register.imported",
            Self::CertificateSuspended => "certificate.suspended",
            Self::CertificateRevoked => "certificate.revoked",
            Self::DatabaseRestored => "database.restored",
            Self::OriginalRemoved => "original.removed",
            Self::UnmaskedRemoved => "page.unmasked_removed",
            Self::PageMasked => "page.masked",
            Self::ObjectsSwept => "objects.swept",
            Self::ApplicationErased => "application.erased",
            Self::ScanErased => "scan.erased",
            Self::ErasureFinished => "erasure.finished",
            Self::AccountAdded => "account.added",
            Self::AccountChanged => "account.changed",
            Self::TokenAdded => "token.added",
            Self::TokenRevoked => "token.revoked",
            Self::LoggedIn => "login.succeeded",
            Self::LoginFailed => "login.failed",
            Self::LoggedOut => "logout",
            Self::TaskClaimed => "task.claimed",
            Self::TaskGivenBack => "task.given_back",
            Self::TaskSubmitted => "task.submitted",
            Self::TaskReopened => "task.reopened",
            Self::ImageViewed => "image.viewed",
            Self::RecordViewed => "record.viewed",
            Self::SearchMade => "search.made",
            Self::PageDecided => "page.decided",
            Self::RescanSettled => "rescan.settled",
            Self::DuplicateDecided => "duplicate.decided",
            Self::EscalationOpened => "escalation.opened",
            Self::EscalationAskedBack => "escalation.asked_back",
            Self::EscalationReplied => "escalation.replied",
            Self::EscalationAnswered => "escalation.answered",
            Self::QaJudged => "qa.judged",
            Self::LotJudged => "lot.judged",
            Self::LotReleased => "lot.released",
            Self::QaError => "qa.error",
            Self::ApplicationApproved => "application.approved",
            Self::ApprovalRevoked => "approval.revoked",
            Self::PaymentStopped => "payment.stopped",
            Self::PaymentStopLifted => "payment.stop_lifted",
            Self::FindingWaived => "finding.waived",
            Self::LetterWritten => "letter.written",
            Self::OnlineListImported => "online_list.imported",
            Self::TransferProposed => "transfer.proposed",
            Self::TransferRequested => "transfer.requested",
            Self::TransferWithdrawn => "transfer.withdrawn",
            Self::PaymentRequested => "payment.requested",
            Self::PaymentReturned => "payment.returned",
        }
    }
}

/// Adds an event to the transaction of what it tells about.
pub async fn append(
    connection: &mut PgConnection,
    actor: &str,
    kind: EventKind,
    subject: &str,
    detail: Value,
) -> Result<(), StoreError> {
    sqlx::query("insert into event (actor, kind, subject, detail) values ($1, $2, $3, $4)")
        .bind(actor)
        .bind(kind.name())
        .bind(subject)
        .bind(detail)
        .execute(connection)
        .await
        .map_err(query("append an event"))
        .map(drop)
}

/// Adds an event about something that changes nothing else.
pub async fn note(
    database: &Database,
    actor: &str,
    kind: EventKind,
    subject: &str,
    detail: Value,
) -> Result<(), StoreError> {
    let mut transaction = database.begin().await?;
    append(&mut transaction, actor, kind, subject, detail).await?;
    transaction.commit().await.map_err(query("append an event"))
}
