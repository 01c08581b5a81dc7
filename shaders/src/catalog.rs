//! The table of embedded shader files.

/// Every shader file of this crate: its name (the path without `.wgsl`) and its text, sorted by name.
///
/// ```
/// assert!(knotwork_shaders::SHADERS.iter().any(|(name, _)| *name == "shared/grid"));
/// ```
pub const SHADERS: &[(&str, &str)] = &[("shared/grid", include_str!("../shared/grid.wgsl"))];

/// The text of a named shader, if there is one.
///
/// ```
/// let text = knotwork_shaders::shader("shared/grid").ok_or("no such shader")?;
/// assert!(text.contains("fn linear_group"));
/// assert!(knotwork_shaders::shader("no/such").is_none());
/// # Ok::<(), &str>(())
/// ```
pub fn shader(name: &str) -> Option<&'static str> {
    SHADERS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
