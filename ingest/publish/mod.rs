//! The record of a capture, its images, and the keys under which they are stored.

mod image;
mod record;

pub use image::{EncodedImage, ImageFormat};
pub use record::*;
