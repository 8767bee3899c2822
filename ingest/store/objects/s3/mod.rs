//! Objects in a bucket of S3, or of a server that speaks like it: `prefix/kind/ab/cd/<sha256>`.
//!
//! S3 shows an object whole or not at all. Every request is tried several times; what is not
//! certain after that (an answer that was lost, a conditional write that another writer met) is
//! reported as present, and whoever asked reads the object back.

mod bucket;
mod connect;
mod failure;
mod read;
mod write;

pub use bucket::Bucket;
pub use failure::S3Failure;

use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use chrono::{DateTime, Utc};

use super::place::{Content, Contents, Existing, Place};
use super::{Answer, ObjectError, ObjectHead, ObjectKey, ObjectKind, Put};
use crate::digest::Sha256;
use crate::settings::Objects;

/// Clones share their connections.
#[derive(Debug, Clone)]
pub struct S3 {
    client: Client,
    bucket: Arc<Bucket>,
    settings: Arc<Objects>,
}

/// Keys that one request for a list may ask for, by the protocol.
const LONGEST_LIST: usize = 1000;

impl S3 {
    /// Connects with the credentials that the environment gives, and looks into the bucket: wrong
    /// credentials and names are told now.
    pub async fn connect(bucket: &Bucket, settings: &Objects) -> Result<Self, ObjectError> {
        Self::open(bucket, settings, None).await
    }

    /// Connects with an access key and its secret key, whatever the environment says.
    pub async fn connect_as(
        bucket: &Bucket,
        settings: &Objects,
        access_key: &str,
        secret_key: &str,
    ) -> Result<Self, ObjectError> {
        let credentials = Credentials::new(access_key, secret_key, None, None, "given");
        Self::open(bucket, settings, Some(credentials)).await
    }

    async fn open(
        bucket: &Bucket,
        settings: &Objects,
        credentials: Option<Credentials>,
    ) -> Result<Self, ObjectError> {
        let unreachable =
            |failure| ObjectError::Unreachable { store: bucket.to_string(), doing: "be opened", failure };
        let client = connect::client(settings, credentials).await.map_err(unreachable)?;
        let store = Self { client, bucket: Arc::new(bucket.clone()), settings: Arc::new(settings.clone()) };
        // Who may not list is told "forbidden" of objects that are not there.
        store
            .client
            .list_objects_v2()
            .bucket(bucket.name())
            .prefix(bucket.prefix())
            .max_keys(1)
            .send()
            .await
            .map_err(|error| unreachable(S3Failure::of(&error)))?;
        Ok(store)
    }

    /// What to make of an error of a request about an object.
    fn failed<E>(
        &self,
        key: &ObjectKey,
        doing: &'static str,
    ) -> impl Fn(SdkError<E, HttpResponse>) -> ObjectError + use<E>
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let (store, key) = (self.bucket.to_string(), Box::new(key.clone()));
        move |error| {
            let (store, key) = (store.clone(), key.clone());
            match S3Failure::of(&error) {
                S3Failure::Answer { status: 404, .. } => ObjectError::NotFound { store, key },
                failure => ObjectError::Request { store, key, doing, failure },
            }
        }
    }
}

impl Place for S3 {
    fn name(&self) -> String {
        self.bucket.to_string()
    }

    fn write<'a>(
        &'a self,
        key: &'a ObjectKey,
        content: Content<'a>,
        sha256: Sha256,
        existing: Existing,
    ) -> Answer<'a, Put> {
        Box::pin(self.upload(key, content, sha256, existing))
    }

    fn read<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Contents> {
        Box::pin(self.download(key))
    }

    fn head<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ObjectHead> {
        Box::pin(async move {
            let head = self
                .client
                .head_object()
                .bucket(self.bucket.name())
                .key(self.bucket.path(key))
                .send()
                .await
                .map_err(self.failed(key, "look at it"))?;
            let modified_at = head.last_modified().and_then(|time| DateTime::from_timestamp(time.secs(), 0));
            Ok(ObjectHead {
                bytes: head.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
                // A server that does not say when is taken at its youngest: nothing is too old too soon.
                modified_at: modified_at.unwrap_or_else(Utc::now),
            })
        })
    }

    fn remove<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, ()> {
        Box::pin(async move {
            let removed = self
                .client
                .delete_object()
                .bucket(self.bucket.name())
                .key(self.bucket.path(key))
                .send()
                .await
                .map_err(self.failed(key, "remove"));
            match removed {
                // By the protocol there is no such answer; not every server knows.
                Ok(_) | Err(ObjectError::NotFound { .. }) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    fn list<'a>(
        &'a self,
        kind: ObjectKind,
        after: Option<&'a ObjectKey>,
        limit: usize,
    ) -> Answer<'a, Vec<ObjectKey>> {
        Box::pin(async move {
            let mut after = after.map(|key| self.bucket.path(key));
            let mut keys = Vec::new();
            while keys.len() < limit {
                let wanted = (limit - keys.len()).min(LONGEST_LIST);
                let page = self
                    .client
                    .list_objects_v2()
                    .bucket(self.bucket.name())
                    .prefix(self.bucket.folder(kind))
                    .set_start_after(after.take())
                    .max_keys(i32::try_from(wanted).unwrap_or(i32::MAX))
                    .send()
                    .await
                    .map_err(|error| ObjectError::Unreachable {
                        store: self.name(),
                        doing: "list the objects",
                        failure: S3Failure::of(&error),
                    })?;
                let paths = page.contents().iter().filter_map(|object| object.key());
                after = paths.clone().next_back().map(str::to_owned);
                keys.extend(paths.filter_map(|path| self.bucket.key(path)));
                if after.is_none() || page.is_truncated() != Some(true) {
                    break;
                }
            }
            Ok(keys)
        })
    }
}
