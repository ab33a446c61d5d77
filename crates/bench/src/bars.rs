//! Charts of values by name, as SVG: see [`plot`](crate::plot) for how they look.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::plot::{Axis, Entry, Extent, GREY, Look, Scale, WIDTH, draw_head, significant, text, text_width};

/// A value, and between what it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Which of [`Bars::legend`] it belongs to.
    pub kind: usize,
    /// How long the bar is.
    pub value: f64,
    /// Between what the value lies, where that is known.
    pub interval: Option<(f64, f64)>,
}

/// One line of the chart.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// What stands at its left.
    pub name: String,
    /// What it shows.
    pub bars: Vec<Bar>,
}

/// Values by name: bars that begin at 0, or on an axis by powers of ten, which has no 0, marks.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    /// What stands above it.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// What the colours mean.
    pub legend: Vec<String>,
    /// From top to bottom.
    pub rows: Vec<Row>,
}

impl Bars {
    /// The chart as SVG: the same bytes for the same chart.
    pub fn svg(&self) -> String {
        let mut svg = String::new();
        self.draw(&mut svg).expect("what is drawn into memory cannot fail");
        svg
    }

    fn draw(&self, svg: &mut String) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let is_marked = self.x.scale == Scale::Logarithmic;
        let entry = |(kind, name): (usize, &String)| Entry {
            name: name.clone(),
            look: Look::nth(kind),
            has_line: false,
            has_mark: is_marked,
        };
        let legend: Vec<_> = self.legend.iter().enumerate().map(entry).collect();
        // The head is drawn last: how high it is decides how high the chart is.
        let height = 110 + 22 * (legend.len() as u32 / 4) + 30 * self.rows.len() as u32;
        let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let top = draw_head(&root, &self.title, &legend)?;
        let (_, area) = root.split_vertically(top);

        let values = self.rows.iter().flat_map(|row| &row.bars).flat_map(Bar::values);
        let x = Extent::of(self.x.scale, values, true);
        let names = self.rows.iter().map(|row| text_width(&row.name, 13)).max().unwrap_or(0);
        let mut chart = ChartBuilder::on(&area)
            .margin_left(names + 28)
            .margin_right(if is_marked { 40 } else { 76 })
            .margin_bottom(8)
            .x_label_area_size(48)
            .build_cartesian_2d(x.clone(), self.rows.len() as f64..0.)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .axis_style(GREY)
            .bold_line_style(GREY.mix(0.4))
            .light_line_style(GREY.mix(0.15))
            .x_desc(&self.x.label)
            .axis_desc_style(text(14))
            .label_style(text(13))
            .draw()?;
        let to_the_right = text(13).pos(Pos::new(HPos::Left, VPos::Center));
        let to_the_left = text(13).pos(Pos::new(HPos::Right, VPos::Center));
        let left = x.ends.0;
        for (index, row) in self.rows.iter().enumerate() {
            let middle = index as f64 + 0.5;
            let name = Text::new(row.name.clone(), (-10, 0), to_the_left.clone());
            chart.draw_series([EmptyElement::at((left, middle)) + name])?;
            for bar in row.bars.iter().filter(|bar| bar.values().all(|value| x.has_place(value))) {
                let look = Look::nth(bar.kind);
                if !is_marked {
                    let corners = [(left, middle - 0.32), (bar.value, middle + 0.32)];
                    chart.draw_series([Rectangle::new(corners, look.color.mix(0.75).filled())])?;
                }
                if let Some((low, high)) = bar.interval {
                    let color = if is_marked { look.color } else { BLACK };
                    chart.draw_series([PathElement::new([(low, middle), (high, middle)], color)])?;
                    let end = |x| EmptyElement::at((x, middle)) + PathElement::new([(0, -4), (0, 4)], color);
                    chart.draw_series([end(low), end(high)])?;
                }
                if is_marked {
                    chart.draw_series([EmptyElement::at((bar.value, middle)) + look.mark()])?;
                } else {
                    let end = bar.values().fold(bar.value, f64::max);
                    let value = Text::new(significant(bar.value, 3), (8, 0), to_the_right.clone());
                    chart.draw_series([EmptyElement::at((end, middle)) + value])?;
                }
            }
        }
        root.present()
    }
}

impl Bar {
    fn values(&self) -> impl Iterator<Item = f64> {
        let ends = self.interval.map(|(low, high)| [low, high]);
        std::iter::once(self.value).chain(ends.into_iter().flatten())
    }
}
