//! From where to where an axis goes, and where it is marked.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::{Scale, text_width};

/// From where to where an axis goes, and where it is marked.
#[derive(Clone, Debug)]
pub(crate) struct Extent {
    scale: Scale,
    pub(crate) ends: (f64, f64),
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
        let from = all.iter().copied().rfind(|mark| *mark <= low).unwrap_or(low);
        let to = all.iter().copied().find(|mark| *mark >= high && *mark > from).unwrap_or(high);
        let within =
            |marks: Vec<f64>| marks.into_iter().filter(|mark| (from..=to).contains(mark)).collect::<Vec<_>>();
        let powers = (to / from).log10();
        let marks = if powers <= 2.5 { within(all) } else { within(at(&[1])) };
        let fine = if powers <= 6. { within(at(&[2, 3, 4, 5, 6, 7, 8, 9])) } else { Vec::new() };
        Self { scale: Scale::Logarithmic, ends: (from, to), marks, fine }
    }

    /// Whether the value stands anywhere on it.
    pub(crate) fn has_place(&self, value: f64) -> bool {
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
