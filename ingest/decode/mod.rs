//! Bytes of a scan to page images, one page at a time and in bounded memory. Nothing is turned or
//! cleaned here.

/// One page as it was scanned.
#[derive(Debug, Clone, PartialEq)]
pub struct PageImage {
    /// 0 is black, 255 white.
    pub gray: image::GrayImage,
    /// The same page in colour, where it was scanned in colour.
    pub colour: Option<image::RgbImage>,
    /// The page was scanned with one bit a pixel.
    pub bilevel: bool,
    /// As the file says, where it says anything credible.
    pub declared_dpi: Option<f64>,
}
