//! Charts of lines, as SVG.
//!
//! On opaque white, because a page may be dark; in colours that people who do not see all of them can tell apart, and
//! with marks of different forms for the others. The legend stands above, where no line is.

mod extent;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontStyle;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub(crate) use extent::{Extent, number, significant, whole};

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

    fn draw(&self, svg: &mut String) -> Result<(), Failed> {
        let root = SVGBackend::with_string(svg, (WIDTH, 500)).into_drawing_area();
        root.fill(&WHITE)?;
        let looks = looks(&self.series);
        let entry = |(series, look): (&Series, &Look)| Entry {
            name: series.name.clone(),
            look: *look,
            has_line: !series.is_dots,
            has_mark: series.has_marks(),
        };
        let legend: Vec<_> = self.series.iter().zip(&looks).map(entry).collect();
        let top = draw_head(&root, &self.title, &legend)?;
        let (_, area) = root.split_vertically(top);
        let x = Extent::of(self.x.scale, self.series.iter().flat_map(Series::xs), false);
        let y = Extent::of(self.y.scale, self.series.iter().flat_map(Series::ys), true);
        let mut chart = ChartBuilder::on(&area)
            .margin_left(18)
            .margin_right(40)
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
}

/// What the legend says of one look.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) look: Look,
    pub(crate) has_line: bool,
    /// With neither a line nor a mark it is a coloured field.
    pub(crate) has_mark: bool,
}

/// Draws the title, and what the legend says; gives how high that is.
pub(crate) fn draw_head(root: &Area<'_>, title: &str, legend: &[Entry]) -> Result<i32, Failed> {
    let (left, mut y) = (24, 14);
    let heading = text(17);
    let heading = TextStyle { font: heading.font.style(FontStyle::Bold), ..heading };
    root.draw(&Text::new(title, (left, y), heading))?;
    y += 40;
    let mut x = left;
    for Entry { name, look, has_line, has_mark } in legend {
        let width = 34 + text_width(name, 13) + 22;
        if x > left && x + width > WIDTH as i32 {
            (x, y) = (left, y + 22);
        }
        if *has_line {
            root.draw(&PathElement::new(vec![(x, y), (x + 26, y)], look.color.stroke_width(2)))?;
        }
        if *has_mark {
            root.draw(&(EmptyElement::at((x + 13, y)) + look.mark()))?;
        } else if !has_line {
            root.draw(&Rectangle::new([(x + 6, y - 6), (x + 26, y + 6)], look.color.mix(0.75).filled()))?;
        }
        let at_middle = text(13).pos(Pos::new(HPos::Left, VPos::Center));
        root.draw(&Text::new(name.as_str(), (x + 34, y), at_middle))?;
        x += width;
    }
    Ok(y + 22)
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
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(crate) const WIDTH: u32 = 860;
pub(crate) const GREY: RGBColor = RGBColor(0x66, 0x66, 0x66);

/// Those of Okabe and Ito that can be seen on white.
const COLORS: [RGBColor; 7] = [
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
pub(crate) struct Look {
    pub(crate) color: RGBColor,
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
        looks.push(Look::nth(next - 1));
    }
    looks
}

impl Look {
    pub(crate) fn nth(form: usize) -> Self {
        Self { color: COLORS[form % COLORS.len()], form }
    }

    /// A mark around (0, 0), in pixels.
    pub(crate) fn mark(self) -> Polygon<(i32, i32)> {
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
