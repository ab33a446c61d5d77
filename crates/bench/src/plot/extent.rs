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
        let marks = if powers <= 3. { within(all) } else { within(at(&[1])) };
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
    significant(value, 4)
}

/// The same with another number of digits.
pub(crate) fn significant(value: f64, digits: i32) -> String {
    if value == 0. {
        return "0".to_owned();
    }
    let decimals = (digits - 1 - value.abs().log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = grouped(whole);
    match fraction.trim_end_matches('0') {
        "" => whole,
        fraction => format!("{whole}.{fraction}"),
    }
}

/// A whole number with all its digits.
pub(crate) fn whole(value: f64) -> String {
    grouped(&format!("{value:.0}"))
}

/// Digits in threes.
fn grouped(whole: &str) -> String {
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut grouped = sign.to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_their_digits_in_threes() {
        for (value, text) in [
            (0., "0"),
            (0.05, "0.05"),
            (1.23456, "1.235"),
            (71.25, "71.25"),
            (1000., "1,000"),
            (123456.7, "123,457"),
            (-1234., "-1,234"),
            (0.00012, "0.00012"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(whole(188059.), "188,059");
    }

    fn marks(scale: Scale, values: &[f64]) -> Vec<String> {
        Extent::of(scale, values.iter().copied(), true).marks.iter().map(|mark| number(*mark)).collect()
    }

    #[test]
    fn an_even_axis_has_about_seven_round_marks_from_0_on() {
        assert_eq!(marks(Scale::Linear, &[3., 118.]), ["0", "20", "40", "60", "80", "100", "120"]);
        assert_eq!(marks(Scale::Linear, &[0.021]), ["0", "0.005", "0.01", "0.015", "0.02", "0.025"]);
        assert_eq!(marks(Scale::Linear, &[-4., 3.]), ["-4", "-3", "-2", "-1", "0", "1", "2", "3"]);
    }

    #[test]
    fn an_axis_by_powers_of_ten_has_marks_at_1_2_and_5_or_only_at_the_powers() {
        assert_eq!(marks(Scale::Logarithmic, &[5., 80.]), ["5", "10", "20", "50", "100"]);
        assert_eq!(
            marks(Scale::Logarithmic, &[1., 99999.]),
            ["1", "10", "100", "1,000", "10,000", "100,000"]
        );
    }

    #[test]
    fn an_axis_has_room_whatever_it_is_given() {
        for values in [&[][..], &[0.], &[7., 7.], &[f64::NAN, f64::INFINITY], &[-3.], &[0., 5.]] {
            for scale in [Scale::Linear, Scale::Logarithmic] {
                let (from, to) = Extent::of(scale, values.iter().copied(), false).ends;
                assert!(from < to && from.is_finite() && to.is_finite(), "{values:?}: {from} to {to}");
            }
        }
    }
}
