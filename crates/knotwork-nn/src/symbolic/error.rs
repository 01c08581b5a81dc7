//! What can be wrong with symbolic work.

use knotwork_core::Site;

/// A function, its samples or a formula cannot be taken. Every message ends with the line of the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SymbolicError {
    /// No function of the library has this name.
    #[error("there is no function `{name}` in the library; the nearest are: {} (at {site})", nearest.join(", "))]
    UnknownFunction {
        /// The name that was asked for.
        name: String,
        /// The names most like it, best first.
        nearest: Vec<String>,
        /// The call.
        site: Site,
    },
    /// A function was added under a name that is taken.
    #[error("the library has a function `{name}` already (at {site})")]
    TakenName {
        /// The name.
        name: String,
        /// The call.
        site: Site,
    },
    /// A function was described by something that cannot be used.
    #[error("function `{name}`: {problem} (at {site})")]
    Function {
        /// The function's name.
        name: String,
        /// What is wrong, with the limit.
        problem: String,
        /// The call.
        site: Site,
    },
    /// There are as many x as y, or there should be.
    #[error("{x} values of x and {y} of y: there must be as many (at {site})")]
    Lengths {
        /// How many values of x.
        x: usize,
        /// How many values of y.
        y: usize,
        /// The call.
        site: Site,
    },
    /// Too few samples for the four numbers of an affine fit.
    #[error(
        "{got} samples are too few to fit a, b, c and d: at least {} are needed (at {site})",
        super::Samples::MIN
    )]
    TooFew {
        /// How many there are.
        got: usize,
        /// The call.
        site: Site,
    },
    /// A sample is NaN or infinite.
    #[error("sample {index}: {axis} is {value}, not finite (at {site})")]
    NotFinite {
        /// Which sample, counted from 0.
        index: usize,
        /// `x` or `y`.
        axis: &'static str,
        /// The value, as text.
        value: String,
        /// The call.
        site: Site,
    },
    /// A search was given a range, a grid or a weight that it cannot take.
    #[error("{what} (at {site})")]
    Setting {
        /// The setting and its limits.
        what: String,
        /// The call.
        site: Site,
    },
    /// No a and b of the search make the function finite on every sample.
    #[error("`{function}` ({domain}) is not finite on all samples for any a, b of the search (at {site})")]
    Undefined {
        /// The function's name.
        function: String,
        /// Where it is defined.
        domain: String,
        /// The call.
        site: Site,
    },
    /// A formula was evaluated without a value for one of its variables.
    #[error("the formula has a variable `{variable}` that got no value; values are given for: {} (at {site})", known.join(", "))]
    MissingVariable {
        /// The variable.
        variable: String,
        /// The names that have values.
        known: Vec<String>,
        /// The call.
        site: Site,
    },
    /// The edges of a layer do not fit the expressions that enter it.
    #[error("layer {layer}, output {output}: {got} edges for {expected} inputs (at {site})")]
    Edges {
        /// The layer, counted from 0.
        layer: usize,
        /// The output, counted from 0.
        output: usize,
        /// Edges of this output.
        got: usize,
        /// Inputs of the layer.
        expected: usize,
        /// The call.
        site: Site,
    },
}
