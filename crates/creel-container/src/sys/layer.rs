//! Layers of protection, each of which a build for tests can go without, to show what it protects from.
//!
//! `CREEL_WITHOUT=seal,hiding` switches off these. Without the feature `weak-points` nothing of this is built.

/// A layer of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layer {
    /// The command runs from an executable that cannot be written to.
    Seal,
    /// The command's child is not dumpable.
    Hiding,
}

/// Whether the layer is there: always, but in a build for tests.
pub(crate) fn is_on(layer: Layer) -> bool {
    switch::is_on(layer)
}

#[cfg(not(feature = "weak-points"))]
mod switch {
    pub(super) fn is_on(_layer: super::Layer) -> bool {
        true
    }
}

#[cfg(feature = "weak-points")]
mod switch {
    use super::Layer;

    pub(super) fn is_on(layer: Layer) -> bool {
        let name = match layer {
            Layer::Seal => "seal",
            Layer::Hiding => "hiding",
        };
        let off = std::env::var("CREEL_WITHOUT").unwrap_or_default();
        !off.split(',').any(|word| word == name)
    }
}
