//! Why S3 did not do what it was asked, in words for the one who can mend it.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

#[derive(Debug, thiserror::Error)]
pub enum S3Failure {
    #[error(
        "no credentials were found: {0}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, \
         or give the machine a role"
    )]
    NoCredentials(String),
    #[error("no region is known; set objects.region, AWS_REGION or a profile")]
    NoRegion,
    #[error(
        "the server refused it ({code}); check the credentials, the machine's clock, and that the policy of \
         the bucket allows to get, put, list and delete objects"
    )]
    Refused { code: String },
    #[error("there is no such bucket; create it, or name another with --objects")]
    NoBucket,
    #[error("the bucket is elsewhere ({code}); set objects.region and objects.endpoint")]
    Elsewhere { code: String },
    #[error(
        "the server does not know how ({code}); a server without conditional writes needs \
         objects.if_none_match = false, one without encryption objects.encryption = \"none\""
    )]
    NotImplemented { code: String },
    #[error("there is no answer: {0}; check objects.endpoint and the network")]
    NoAnswer(String),
    #[error("there is no answer in time: {0}; check the network, or raise objects.request_seconds")]
    Late(String),
    #[error("the answer breaks off after {bytes} of {expected} bytes, again and again; check the network")]
    BrokenOff { bytes: u64, expected: u64 },
    #[error("the server answers {status} {code}; if that goes on, look at its log")]
    Answer { status: u16, code: String },
    #[error("the request cannot be made: {0}; check the settings of [objects]")]
    Request(String),
}

impl S3Failure {
    /// The server or the network may mend it; everything else is for who runs the program.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::NoAnswer(_) | Self::Late(_) | Self::BrokenOff { .. } => true,
            // 408: too slow, 429: too often
            Self::Answer { status, .. } => *status >= 500 || matches!(status, 408 | 429),
            Self::NoCredentials(_)
            | Self::NoRegion
            | Self::Refused { .. }
            | Self::NoBucket
            | Self::Elsewhere { .. }
            | Self::NotImplemented { .. }
            | Self::Request(_) => false,
        }
    }

    /// What came of a request after all its attempts.
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        match error {
            SdkError::ConstructionFailure(_) => Self::Request(DisplayErrorContext(error).to_string()),
            SdkError::TimeoutError(_) => Self::Late(innermost(error)),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::Late(innermost(error)),
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => Self::NoAnswer(innermost(error)),
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                let code = answer.err().code().unwrap_or("no code").to_owned();
                match (status, code.as_str()) {
                    (_, "NoSuchBucket") => Self::NoBucket,
                    (301 | 307, _) | (400, "AuthorizationHeaderMalformed") => Self::Elsewhere { code },
                    (401 | 403, _) => Self::Refused { code },
                    (501, _) => Self::NotImplemented { code },
                    _ => Self::Answer { status, code },
                }
            }
            _ => Self::Request(DisplayErrorContext(error).to_string()),
        }
    }
}

/// The status that the server answered with, if it did.
pub(super) fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    match error {
        SdkError::ServiceError(answer) => Some(answer.raw().status().as_u16()),
        _ => None,
    }
}

/// The cause behind the driver's layers, such as "connection refused".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
