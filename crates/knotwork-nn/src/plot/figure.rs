//! What every picture can do: be SVG, be PNG, be saved.

use std::path::Path;

use super::{error::PlotError, svg::Svg};

/// A picture that can be drawn; [`figure!`] gives it its public methods.
pub(super) trait Draw {
    /// What errors about its PNG call it.
    #[cfg_attr(not(feature = "png"), expect(dead_code, reason = "only a PNG has errors of its own"))]
    fn title(&self) -> &str;

    /// The picture.
    fn draw(&self) -> Result<Svg, PlotError>;

    /// The bytes of a file of that name.
    fn bytes(&self, path: &Path) -> Result<Vec<u8>, PlotError> {
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("svg") => Ok(self.draw()?.finish().into_bytes()),
            #[cfg(feature = "png")]
            Some("png") => {
                let svg = self.draw()?;
                super::png::encode(&svg, self.title(), super::png::saved(&svg))
            }
            #[cfg(not(feature = "png"))]
            Some("png") => Err(PlotError::WithoutPng { path: path.into() }),
            _ => Err(PlotError::Extension { path: path.into() }),
        }
    }

    /// Nothing is written where the picture cannot be drawn.
    fn write(&self, path: &Path) -> Result<(), PlotError> {
        let bytes = self.bytes(path)?;
        std::fs::write(path, bytes).map_err(|source| PlotError::Write { path: path.into(), source })
    }
}

/// `to_svg`, `to_png` and `save` of a type that draws. They are its own rather than a trait's, so that nobody needs to
/// import one.
macro_rules! figure {
    ($name:ident) => {
        impl $name {
            /// The picture as SVG, with real text in the reader's sans-serif font, on white.
            ///
            /// # Errors
            /// [`Error::Plot`](crate::Error::Plot) where there is nothing to show or the data do not fit each other.
            #[track_caller]
            pub fn to_svg(&self) -> crate::Result<String> {
                match $crate::plot::figure::Draw::draw(self) {
                    Ok(svg) => Ok(svg.finish()),
                    Err(e) => Err(crate::Error::plot(e)),
                }
            }

            /// The picture as the bytes of a PNG file, on white, with a font that this crate carries.
            ///
            /// # Errors
            /// As [`to_svg`](Self::to_svg), and where the size is no number above 0 or makes more than 100 million pixels.
            #[cfg(feature = "png")]
            #[track_caller]
            pub fn to_png(&self, size: crate::plot::PngSize) -> crate::Result<Vec<u8>> {
                use $crate::plot::figure::Draw;
                match self.draw().and_then(|svg| $crate::plot::png::encode(&svg, self.title(), size)) {
                    Ok(bytes) => Ok(bytes),
                    Err(e) => Err(crate::Error::plot(e)),
                }
            }

            /// Writes the picture to a file, as SVG or PNG by the end of its name; a PNG has two pixels for each unit of
            /// the SVG. Nothing is written where the picture cannot be drawn.
            ///
            /// # Errors
            /// As [`to_svg`](Self::to_svg), for a name that ends otherwise, for a PNG without the cargo feature `png`, and
            /// where the file cannot be written.
            #[track_caller]
            pub fn save(&self, path: impl AsRef<std::path::Path>) -> crate::Result<()> {
                match $crate::plot::figure::Draw::write(self, path.as_ref()) {
                    Ok(()) => Ok(()),
                    Err(e) => Err(crate::Error::plot(e)),
                }
            }
        }
    };
}
pub(super) use figure;
