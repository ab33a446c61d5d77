//! Charts, as SVG.

/// How an axis counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// By powers of ten.
    Logarithmic,
}

/// An axis.
#[derive(Clone, Debug, Default)]
pub struct Axis {
    /// What it shows, with the unit.
    pub label: String,
    /// How it counts.
    pub scale: Scale,
}

/// A line with a name.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// What the legend says.
    pub name: String,
    /// `(x, y)`, by x.
    pub points: Vec<(f64, f64)>,
    /// For each point, between what its value lies; or nothing.
    pub intervals: Vec<(f64, f64)>,
    /// Points that were measured or simulated, beside a model's line.
    pub is_dots: bool,
}

/// Lines over an axis.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// What stands above it.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
}

impl Lines {
    /// The chart as SVG.
    pub fn svg(&self) -> String {
        todo!("helper B")
    }
}
