//! Writing: one request for what fits into a part, otherwise one part after another.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ServerSideEncryption};
use aws_smithy_types::base64;
use bytes::Bytes;
use sha2::Digest;

use super::super::place::{Content, Existing};
use super::super::{ObjectError, ObjectKey, Put};
use super::S3;
use super::failure::status;
use crate::digest::Sha256;
use crate::settings::Encryption;

const ANY: &str = "*";

impl S3 {
    pub(super) async fn upload(
        &self,
        key: &ObjectKey,
        content: Content<'_>,
        sha256: Sha256,
        existing: Existing,
    ) -> Result<Put, ObjectError> {
        let bytes = match content {
            Content::Bytes(bytes) => Bytes::copy_from_slice(bytes),
            Content::File(path) => {
                let mut parts = Parts::open(path, self.part_bytes())
                    .await
                    .map_err(|source| self.outside(key, path, source))?;
                let first = parts.next().await.map_err(|source| self.outside(key, path, source))?;
                if first.len() == self.part_bytes() {
                    return self.upload_in_parts(key, first, parts, sha256, existing).await;
                }
                first
            }
        };
        self.refuse_other(key, &bytes, sha256)?;
        self.upload_whole(key, bytes, sha256, existing).await
    }

    async fn upload_whole(
        &self,
        key: &ObjectKey,
        bytes: Bytes,
        sha256: Sha256,
        existing: Existing,
    ) -> Result<Put, ObjectError> {
        let result = self
            .client
            .put_object()
            .bucket(self.bucket.name())
            .key(self.bucket.path(key))
            .checksum_sha256(base64::encode(sha256.as_bytes()))
            .set_if_none_match(self.condition(existing))
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.settings.kms_key.clone())
            .body(ByteStream::from(bytes))
            .send()
            .await;
        match result {
            Ok(_) => Ok(Put::Written),
            Err(error) if existing == Existing::Keep && met_another(&error) => Ok(Put::Present),
            Err(error) => Err(self.failed(key, "write")(error)),
        }
    }

    async fn upload_in_parts(
        &self,
        key: &ObjectKey,
        first: Bytes,
        parts: Parts,
        sha256: Sha256,
        existing: Existing,
    ) -> Result<Put, ObjectError> {
        // One question is cheaper than parts that are sent for nothing.
        if existing == Existing::Keep {
            match super::Place::head(self, key).await {
                Ok(_) => return Ok(Put::Present),
                Err(ObjectError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(self.bucket.name())
            .key(self.bucket.path(key))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_server_side_encryption(self.encryption())
            .set_ssekms_key_id(self.settings.kms_key.clone())
            .send()
            .await
            .map_err(self.failed(key, "begin to write"))?;
        let upload = begun.upload_id().unwrap_or_default();
        let result = self.upload_parts(key, upload, first, parts, sha256, existing).await;
        if !matches!(result, Ok(Put::Written)) {
            // Parts are no object, but are paid for. Whoever cannot even be told this is told by a rule
            // of the bucket to forget uploads that were never completed.
            let _ = self
                .client
                .abort_multipart_upload()
                .bucket(self.bucket.name())
                .key(self.bucket.path(key))
                .upload_id(upload)
                .send()
                .await;
        }
        result
    }

    async fn upload_parts(
        &self,
        key: &ObjectKey,
        upload: &str,
        first: Bytes,
        mut parts: Parts,
        sha256: Sha256,
        existing: Existing,
    ) -> Result<Put, ObjectError> {
        let mut hasher = sha2::Sha256::new();
        let mut completed = Vec::new();
        let mut bytes = first;
        while !bytes.is_empty() {
            hasher.update(&bytes);
            let number = i32::try_from(completed.len() + 1).unwrap_or(i32::MAX);
            let checksum = base64::encode(Sha256::of(&bytes).as_bytes());
            let part = self
                .client
                .upload_part()
                .bucket(self.bucket.name())
                .key(self.bucket.path(key))
                .upload_id(upload)
                .part_number(number)
                .checksum_sha256(checksum.clone())
                .body(ByteStream::from(bytes))
                .send()
                .await
                .map_err(self.failed(key, "write a part of"))?;
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(part.e_tag)
                .checksum_sha256(checksum)
                .build();
            completed.push(part);
            bytes = parts.next().await.map_err(|source| self.outside(key, &parts.path, source))?;
        }
        let found = Sha256::from_bytes(hasher.finalize().into());
        if found != sha256 {
            return Err(self.other_bytes(key, found));
        }
        let result = self
            .client
            .complete_multipart_upload()
            .bucket(self.bucket.name())
            .key(self.bucket.path(key))
            .upload_id(upload)
            .set_if_none_match(self.condition(existing))
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(completed)).build())
            .send()
            .await;
        match result {
            Ok(_) => Ok(Put::Written),
            // No such upload (404): an earlier attempt has completed it, and its answer was lost.
            Err(error)
                if existing == Existing::Keep && (met_another(&error) || status(&error) == Some(404)) =>
            {
                Ok(Put::Present)
            }
            Err(error) => Err(self.failed(key, "finish writing")(error)),
        }
    }

    fn condition(&self, existing: Existing) -> Option<String> {
        (existing == Existing::Keep && self.settings.if_none_match).then(|| ANY.to_owned())
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        match self.settings.encryption {
            Encryption::None => None,
            Encryption::Aes256 => Some(ServerSideEncryption::Aes256),
            Encryption::Kms => Some(ServerSideEncryption::AwsKms),
        }
    }

    fn part_bytes(&self) -> usize {
        self.settings.part_mib.get() as usize * (1 << 20)
    }

    fn refuse_other(&self, key: &ObjectKey, bytes: &[u8], sha256: Sha256) -> Result<(), ObjectError> {
        match Sha256::of(bytes) {
            found if found == sha256 => Ok(()),
            found => Err(self.other_bytes(key, found)),
        }
    }

    fn other_bytes(&self, key: &ObjectKey, found: Sha256) -> ObjectError {
        ObjectError::OtherBytes { store: self.bucket.to_string(), key: Box::new(key.clone()), found }
    }

    fn outside(&self, key: &ObjectKey, file: &Path, source: io::Error) -> ObjectError {
        let (store, key) = (self.bucket.to_string(), Box::new(key.clone()));
        ObjectError::File { store, key, file: file.to_owned(), source }
    }
}

/// A conditional write found the object there (412), or another writer at it (409).
fn met_another<E>(error: &SdkError<E, HttpResponse>) -> bool {
    matches!(status(error), Some(409 | 412))
}

/// A file, a part at a time.
struct Parts {
    path: Box<Path>,
    file: Arc<File>,
    part_bytes: usize,
}

impl Parts {
    async fn open(path: &Path, part_bytes: usize) -> io::Result<Self> {
        let file = tokio::fs::File::open(path).await?.into_std().await;
        Ok(Self { path: path.into(), file: Arc::new(file), part_bytes })
    }

    /// As many bytes as a part has; fewer at the end, then none.
    async fn next(&mut self) -> io::Result<Bytes> {
        let (file, part_bytes) = (self.file.clone(), self.part_bytes);
        let reading = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            (&*file).take(part_bytes as u64).read_to_end(&mut bytes)?;
            Ok(Bytes::from(bytes))
        });
        reading.await.map_err(io::Error::from)?
    }
}
