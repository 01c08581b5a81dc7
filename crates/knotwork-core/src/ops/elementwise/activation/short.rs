//! How families with attributes write their rows briefly.

/// A row: name, formula, source, shader file, WGSL call, attributes, kinks, derivatives; then its f64 form of (input,
/// attributes) and, independently, its f32 form of (input, attributes as f32).
macro_rules! short {
    ($name:literal, $formula:literal, $source:literal, $file:literal, $wgsl:literal, $attributes:expr, $kinks:expr,
     $derivatives:expr, $(valid $valid:expr,)? |$x:ident, $a:ident| $exact:expr, |$v:ident, $c:ident| $fast:expr) => {
        Row {
            name: $name,
            formula: $formula,
            source: $source,
            wgsl: call($file, $wgsl),
            attributes: $attributes,
            kinks: $kinks,
            $(valid: $valid,)?
            derivatives: $derivatives,
            reference: |x, $a| {
                let $x = x[0];
                let _ = $a;
                if $x.is_nan() { $x } else { $exact }
            },
            fast: |x, attributes, y| {
                let mut $c = [0.0f32; 3];
                for (c, a) in $c.iter_mut().zip(attributes) {
                    *c = *a as f32;
                }
                fast::unary(
                    x,
                    y,
                    #[inline(always)]
                    |$v| {
                        let value = $fast;
                        if $v.is_nan() { $v } else { value }
                    },
                );
            },
            ..UNARY
        }
    };
}
