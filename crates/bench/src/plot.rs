//! Charts of lines, as SVG.
//!
//! On opaque white, because a page may be dark; in colours that people who do not see all of them can tell apart, and
//! with marks of different forms for the others. The legend stands above, where no line is.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// How an axis counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// By powers of ten. What is not above 0 has no place there and is left out.
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
    /// Points that were measured or simulated, beside a model's line: right behind it in [`Lines::series`] they have
    /// its colour.
    pub is_dots: bool,
}

/// Lines over an axis.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// What stands above it.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis. One that counts evenly begins at 0: what is small then looks small.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
}

impl Lines {
    /// The chart as SVG: the same bytes for the same chart.
    pub fn svg(&self) -> String {
        let mut svg = String::new();
        self.draw(&mut svg).expect("what is drawn into memory cannot fail");
        svg
    }

    fn draw(&self, svg: &mut String) -> Drawn {
        let root = SVGBackend::with_string(svg, (WIDTH, 500)).into_drawing_area();
        root.fill(&WHITE)?;
        let looks = looks(&self.series);
        let top = self.draw_head(&root, &looks)?;
        let (_, area) = root.split_vertically(top);
        let x = Extent::of(self.x.scale, self.series.iter().flat_map(Series::xs), false);
        let y = Extent::of(self.y.scale, self.series.iter().flat_map(Series::ys), true);
        let mut chart = ChartBuilder::on(&area)
            .margin_left(18)
            .margin_right(30)
            .margin_bottom(8)
            .x_label_area_size(48)
            .y_label_area_size(y.label_width() + 38)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .axis_style(GREY)
            .bold_line_style(GREY.mix(0.4))
            .light_line_style(GREY.mix(0.15))
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .axis_desc_style(text(14))
            .label_style(text(13))
            .draw()?;
        for (series, look) in self.series.iter().zip(looks) {
            let has_place = |at: &(f64, f64)| x.has_place(at.0) && y.has_place(at.1);
            let points: Vec<_> = series.points.iter().copied().filter(has_place).collect();
            let between: Vec<_> = (series.points.iter().zip(&series.intervals))
                .map(|(&(x, _), &(low, high))| (x, low, high))
                .filter(|&(x, low, high)| has_place(&(x, low)) && has_place(&(x, high)))
                .collect();
            if series.has_marks() {
                let bar = |&(x, low, high)| PathElement::new([(x, low), (x, high)], look.color);
                chart.draw_series(between.iter().map(bar))?;
                let ends = between.iter().flat_map(|&(x, low, high)| [(x, low), (x, high)]);
                let end = |at| EmptyElement::at(at) + PathElement::new([(-4, 0), (4, 0)], look.color);
                chart.draw_series(ends.map(end))?;
            } else if !between.is_empty() {
                let below = between.iter().map(|&(x, low, _)| (x, low));
                let above = between.iter().rev().map(|&(x, _, high)| (x, high));
                let band: Vec<_> = below.chain(above).collect();
                chart.draw_series([Polygon::new(band, look.color.mix(0.2))])?;
            }
            if !series.is_dots {
                let line = look.color.stroke_width(2);
                chart.draw_series([PathElement::new(points.clone(), line)])?;
            }
            if series.has_marks() {
                chart.draw_series(points.into_iter().map(|at| EmptyElement::at(at) + look.mark()))?;
            }
        }
        root.present()
    }

    /// The title, and what the legend says; gives how high that is.
    fn draw_head(&self, root: &DrawingArea<SVGBackend, Shift>, looks: &[Look]) -> Result<i32, Failed> {
        let (left, mut y) = (24, 14);
        let heading = text(17);
        let heading = TextStyle { font: heading.font.style(FontStyle::Bold), ..heading };
        root.draw(&Text::new(self.title.clone(), (left, y), heading))?;
        y += 40;
        let mut x = left;
        for (series, look) in self.series.iter().zip(looks) {
            let width = 34 + text_width(&series.name, 13) + 22;
            if x > left && x + width > WIDTH as i32 {
                (x, y) = (left, y + 22);
            }
            if !series.is_dots {
                root.draw(&PathElement::new(vec![(x, y), (x + 26, y)], look.color.stroke_width(2)))?;
            }
            if series.has_marks() {
                root.draw(&(EmptyElement::at((x + 13, y)) + look.mark()))?;
            }
            let at_middle = text(13).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(series.name.clone(), (x + 34, y), at_middle))?;
            x += width;
        }
        Ok(y + 22)
    }
}

impl Series {
    fn xs(&self) -> impl Iterator<Item = f64> {
        self.points.iter().map(|&(x, _)| x)
    }

    fn ys(&self) -> impl Iterator<Item = f64> {
        let ends = self.intervals.iter().flat_map(|&(low, high)| [low, high]);
        self.points.iter().map(|&(_, y)| y).chain(ends)
    }

    /// Whether one sees where the points are: not on a line of so many that it is a curve.
    fn has_marks(&self) -> bool {
        self.is_dots || self.points.len() <= 24
    }
}

/// What drawing may fail with: nothing, in memory.
type Failed = DrawingAreaErrorKind<std::io::Error>;
type Drawn = Result<(), Failed>;

pub(crate) const WIDTH: u32 = 860;
pub(crate) const GREY: RGBColor = RGBColor(0x66, 0x66, 0x66);

/// Those of Okabe and Ito that can be seen on white.
pub(crate) const COLORS: [RGBColor; 7] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    BLACK,
];

/// A series' colour, and the form of its marks.
#[derive(Clone, Copy, Debug)]
struct Look {
    color: RGBColor,
    form: usize,
}

/// A look for each of them.
fn looks(series: &[Series]) -> Vec<Look> {
    let mut next = 0;
    let mut is_line_before = false;
    let mut looks = Vec::new();
    for one in series {
        if !(one.is_dots && is_line_before) {
            next += 1;
        }
        is_line_before = !one.is_dots;
        let form = next - 1;
        looks.push(Look { color: COLORS[form % COLORS.len()], form });
    }
    looks
}

impl Look {
    /// A mark around (0, 0), in pixels.
    fn mark(self) -> Polygon<(i32, i32)> {
        Polygon::new(FORMS[self.form % FORMS.len()], self.color.filled())
    }
}

/// Marks, around where they stand: a disc, a triangle, a square, a diamond.
const FORMS: [&[(i32, i32)]; 4] = [
    &[(-2, -4), (2, -4), (4, -2), (4, 2), (2, 4), (-2, 4), (-4, 2), (-4, -2)],
    &[(-5, 4), (0, -5), (5, 4)],
    &[(-4, -4), (4, -4), (4, 4), (-4, 4)],
    &[(-5, 0), (0, -5), (5, 0), (0, 5)],
];

/// Text of this size in pixels. (What plotters is given it divides by 1.24.)
pub(crate) fn text(pixels: u32) -> TextStyle<'static> {
    ("sans-serif", f64::from(pixels) * 1.24).into_text_style(&(WIDTH, WIDTH)).color(&BLACK)
}

/// About how wide a text becomes. The letters' real widths are known where it is looked at.
pub(crate) fn text_width(text: &str, pixels: usize) -> i32 {
    (text.chars().count() * pixels * 3 / 5) as i32
}

/// From where to where an axis goes, and where it is marked.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    scale: Scale,
    ends: (f64, f64),
    /// The values with a label.
    marks: Vec<f64>,
    /// Further ones with a fine line.
    fine: Vec<f64>,
}

impl Extent {
    /// One that has room for all `values`, and for 0 if that is wanted.
    pub(crate) fn of(scale: Scale, values: impl Iterator<Item = f64>, with_zero: bool) -> Self {
        let possible = |value: &f64| value.is_finite() && (scale == Scale::Linear || *value > 0.);
        let (mut low, mut high) = values
            .filter(possible)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (1., 1.);
        }
        match scale {
            Scale::Linear => Self::linear(if with_zero { low.min(0.) } else { low }, high),
            Scale::Logarithmic => Self::logarithmic(low, high),
        }
    }

    /// Marks at 1, 2 or 5 times a power of ten, about seven of them.
    fn linear(low: f64, high: f64) -> Self {
        let span = if high > low { high - low } else { high.abs().max(1.) };
        let rough = span / 7.;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1., 2., 5.].map(|times| times * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(10. * power);
        let first = (low / step).floor() as i64;
        let last = ((high / step).ceil() as i64).max(first + 1);
        let marks: Vec<f64> = (first..=last).map(|count| count as f64 * step).collect();
        Self {
            scale: Scale::Linear,
            ends: (first as f64 * step, last as f64 * step),
            marks,
            fine: Vec::new(),
        }
    }

    /// Marks at 1, 2 and 5 times the powers of ten; where these are many, at the powers alone.
    fn logarithmic(low: f64, high: f64) -> Self {
        let decades = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
        let at = |times: &[i32]| -> Vec<f64> {
            let of_decade =
                |power: i32| times.iter().map(move |times| f64::from(*times) * 10_f64.powi(power));
            decades.clone().flat_map(of_decade).collect()
        };
        let all = at(&[1, 2, 5]);
        let from = all.iter().copied().filter(|mark| *mark <= low).next_back().unwrap_or(low);
        let to = all.iter().copied().find(|mark| *mark >= high && *mark > from).unwrap_or(high);
        let within =
            |marks: Vec<f64>| marks.into_iter().filter(|mark| (from..=to).contains(mark)).collect::<Vec<_>>();
        let powers = (to / from).log10();
        let marks = if powers <= 2.5 { within(all) } else { within(at(&[1])) };
        let fine = if powers <= 6. { within(at(&[2, 3, 4, 5, 6, 7, 8, 9])) } else { Vec::new() };
        Self { scale: Scale::Logarithmic, ends: (from, to), marks, fine }
    }

    /// Whether the value stands anywhere on it.
    fn has_place(&self, value: f64) -> bool {
        self.place(value).is_finite()
    }

    /// Where a value stands, before that is stretched to the drawing.
    fn place(&self, value: f64) -> f64 {
        if self.scale == Scale::Linear { value } else { value.log10() }
    }

    /// How wide its labels are at most.
    pub(crate) fn label_width(&self) -> i32 {
        self.marks.iter().map(|mark| text_width(&number(*mark), 13)).max().unwrap_or(0)
    }
}

impl Ranged for Extent {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let [from, to] = [self.ends.0, self.ends.1].map(|end| self.place(end));
        let part = (self.place(*value) - from) / (to - from);
        limit.0 + (part * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { self.fine.clone() } else { self.marks.clone() }
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.ends.0..self.ends.1
    }
}

impl ValueFormatter<f64> for Extent {
    fn format_ext(&self, value: &f64) -> String {
        number(*value)
    }
}

/// A number for people: `1,000`, `0.25`; at most four digits that are not zeros at the end of a whole number.
pub(crate) fn number(value: f64) -> String {
    if value == 0. {
        return "0".to_owned();
    }
    let decimals = (3 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{grouped}"),
        fraction => format!("{sign}{grouped}.{fraction}"),
    }
}
