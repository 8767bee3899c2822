//! The record of a capture, its images, and how pages come together.

mod assemble;
mod build;
mod image;
mod record;
mod remask;

pub use assemble::{Group, facing_application, group_pages};
pub use build::{CaptureFacts, CapturedPage, StoredReading, build_record, registration_for_reading};
pub use image::{EncodeError, EncodedImage, ImageFormat, encode};
pub use record::*;
pub use remask::{Black, RemaskError, mask_record, remask};
