//! Reading: an answer that breaks off is taken up again where it ended.

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::super::place::{Chunks, Contents};
use super::super::{Answer, ObjectError, ObjectKey};
use super::{S3, S3Failure};

impl S3 {
    pub(super) async fn download(&self, key: &ObjectKey) -> Result<Contents, ObjectError> {
        let answer = self.request(key, None).await?;
        let chunks = Download {
            store: self.clone(),
            key: key.clone(),
            version: answer.version,
            body: answer.body,
            done: 0,
            bytes: answer.bytes,
            attempts: 1,
        };
        Ok(Contents { bytes: answer.bytes, chunks: Box::new(chunks) })
    }

    /// Asks for an object, or for the rest of one.
    async fn request(&self, key: &ObjectKey, rest: Option<&Rest<'_>>) -> Result<Part, ObjectError> {
        let answer = self
            .client
            .get_object()
            .bucket(self.bucket.name())
            .key(self.bucket.path(key))
            .set_range(rest.map(|rest| format!("bytes={}-", rest.from)))
            .set_if_match(rest.and_then(|rest| rest.version.map(str::to_owned)))
            .send()
            .await
            .map_err(self.failed(key, "read"))?;
        let bytes = answer.content_length.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
        Ok(Part { version: answer.e_tag, bytes, body: answer.body })
    }
}

/// The rest of an object whose answer broke off.
struct Rest<'a> {
    from: u64,
    /// Another writer may have replaced it meanwhile, with other bytes where they are encrypted.
    version: Option<&'a str>,
}

struct Part {
    version: Option<String>,
    bytes: u64,
    body: ByteStream,
}

struct Download {
    store: S3,
    key: ObjectKey,
    version: Option<String>,
    body: ByteStream,
    done: u64,
    bytes: u64,
    /// Answers that were begun since bytes last came.
    attempts: u32,
}

impl Chunks for Download {
    fn next(&mut self) -> Answer<'_, Option<Bytes>> {
        Box::pin(async move {
            loop {
                match self.body.next().await {
                    Some(Ok(chunk)) if chunk.is_empty() => {}
                    Some(Ok(chunk)) => {
                        self.done += chunk.len() as u64;
                        self.attempts = 1;
                        return Ok(Some(chunk));
                    }
                    None if self.done >= self.bytes => return Ok(None),
                    Some(Err(_)) | None => self.resume().await?,
                }
            }
        })
    }
}

impl Download {
    async fn resume(&mut self) -> Result<(), ObjectError> {
        let settings = &self.store.settings;
        if self.attempts >= settings.attempts {
            let failure = S3Failure::BrokenOff { bytes: self.done, expected: self.bytes };
            let (store, key) = (self.store.bucket.to_string(), Box::new(self.key.clone()));
            return Err(ObjectError::Request { store, key, doing: "read", failure });
        }
        let pause = settings.first_backoff * 2u32.saturating_pow(self.attempts - 1);
        tokio::time::sleep(pause.min(settings.longest_backoff)).await;
        self.attempts += 1;
        let rest = Rest { from: self.done, version: self.version.as_deref() };
        self.body = self.store.request(&self.key, Some(&rest)).await?.body;
        Ok(())
    }
}
